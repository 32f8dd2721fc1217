"""Refusals of the Hub, with the headers by which huggingface_hub distinguishes them."""

import json

from starlette.responses import Response


class HubError(Exception):
    """One refusal. `code` is the `X-Error-Code`; "": none."""

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
    """A repo that is missing or hidden: the Hub does not say which, and asks anonymous callers to log in."""
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


_BY_STATUS = {
    401: "Invalid username or password.",
    403: "Forbidden: pass a token with the rights that this needs.",
    404: "Not Found",
    408: "Request Timeout",
    429: "We had to rate limit you. Wait for the time that the headers give, or log in for a higher limit.",
    500: "Internal Error - We're working hard to fix this as soon as possible!",
    503: "Service Unavailable",
}


def of_status(status: int, message: str = "") -> HubError:
    """A refusal with that status and no details."""
    return HubError(status, "", message or _BY_STATUS.get(status, f"Error {status}"))


def rate_limit_policy(path: str, *, known_user: bool) -> tuple[str, int]:
    """Name and size of the window of 300 s that limits a request (the Hub's docs, "Rate limits")."""
    if "/resolve/" in path:
        return "resolvers", 5000 if known_user else 3000
    return "api", 1000 if known_user else 500


def rate_limit_headers(path: str, seconds: int) -> dict[str, str]:
    """The Hub's refusal with 429: the window of 300 s that is used up, and the start of the next one.

    Form and "api": huggingface_hub's `parse_ratelimit_headers`. The limits are those of a caller without a token.
    """
    window, requests = rate_limit_policy(path, known_user=False)
    return {
        "RateLimit": f'"{window}";r=0;t={seconds}',
        "RateLimit-Policy": f'"fixed window";"{window}";q={requests};w=300',
    }


def _header_text(text: str) -> str:
    """The message as a header may hold it; the body has the exact text."""
    return " ".join(text.encode("latin-1", "replace").decode("latin-1").split())
