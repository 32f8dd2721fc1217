"""Refusals of the Hub, with the headers by which huggingface_hub tells them apart."""

import json

from starlette.responses import Response


class HubError(Exception):
    """One refusal. `code` is the `X-Error-Code`, "" for those that have none."""

    def __init__(self, status: int, code: str, message: str, commit: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.commit = commit

    def response(self) -> Response:
        told = {"X-Error-Code": self.code, "X-Error-Message": self.message, "X-Repo-Commit": self.commit}
        headers = {name: _header_text(value) for name, value in told.items() if value}
        return Response(json.dumps({"error": self.message}), self.status, headers, "application/json")


def no_credentials() -> HubError:
    return HubError(401, "", "Invalid username or password.")


def bad_token() -> HubError:
    return HubError(401, "", "Invalid credentials in Authorization header")


def repo_not_found(known_user: bool) -> HubError:
    """A repo that is missing or hidden: the Hub does not say which, and tells strangers to log in."""
    if known_user:
        return HubError(404, "RepoNotFound", "Repository not found")
    return HubError(401, "RepoNotFound", "Invalid username or password.")


def gated_repo(repo_id: str, known_user: bool) -> HubError:
    restricted = f"Access to model {repo_id} is restricted"
    if known_user:
        return HubError(
            403, "GatedRepo", f"{restricted} and you are not in the authorized list. Ask for access on its page."
        )
    advice = "You must have access to it and be authenticated to access it. Please log in."
    return HubError(401, "GatedRepo", f"{restricted}. {advice}")


def revision_not_found(revision: str) -> HubError:
    return HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def entry_not_found(path: str, revision: str, commit: str) -> HubError:
    return HubError(404, "EntryNotFound", f'{path} does not exist on "{revision}"', commit)


def not_implemented(what: str) -> HubError:
    return HubError(501, "", f"The local Hub does not implement {what}")


def _header_text(text: str) -> str:
    """What a header may hold; the body has the exact text."""
    return " ".join(text.encode("latin-1", "replace").decode("latin-1").split())
