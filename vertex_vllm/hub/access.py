"""May this token read this model, and which commit is meant?"""

from dataclasses import dataclass

from vertex_vllm.errors import ServiceError
from vertex_vllm.hub.hub_client import ask_hub
from vertex_vllm.hub.hub_names import check_commit, check_model_id


@dataclass(frozen=True)
class Access:
    """Access that the Hub grants to the token."""

    user: str
    """Name of the token's account; empty when nobody is logged in."""
    commit: str
    """40 hexadecimal digits: what the revision meant when it was asked."""
    gated: bool


@dataclass(frozen=True)
class Revision:
    """A revision of a model, looked up."""

    commit: str
    gated: bool
    license: str = ""
    """As the repo's card names it, for example `llama3.1`; empty where it names none."""


def check_access(model_id: str, revision: str, token: str | None) -> Access:
    """Owner of the token and commit of `revision` (a branch, tag or commit; "" is main), once the model's files are
    known to be readable.

    Raises InputError for a malformed id, else TokenMissingError, TokenInvalidError, LicenseNotAcceptedError,
    RepositoryNotFoundError or RevisionNotFoundError, each with what to do about it; ServiceError when the Hub fails.
    """
    check_model_id(model_id)
    user = _user(token) if token else ""
    ask_hub(lambda api: api.auth_check(model_id), token=token, model_id=model_id)
    found = look_up(model_id, revision, token)
    return Access(user, found.commit, found.gated)


def look_up(model_id: str, revision: str, token: str | None) -> Revision:
    """The commit behind a revision, and whether the model is gated. Raises as `check_access` does."""
    wanted = revision or "main"
    info = ask_hub(
        lambda api: api.model_info(check_model_id(model_id), revision=wanted),
        token=token,
        model_id=model_id,
        revision=wanted,
    )
    return Revision(check_commit(info.sha or ""), bool(info.gated), _license(info.tags))


def _license(tags: object) -> str:
    """The Hub makes a tag `license:…` of what a card says."""
    named = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    found = next((tag.removeprefix("license:") for tag in named if tag.startswith("license:")), "")
    return found if found.isprintable() else ""


def _user(token: str) -> str:
    answer = ask_hub(lambda api: api.whoami(), token=token, model_id="")
    name = answer.get("name") if isinstance(answer, dict) else None
    if not isinstance(name, str):
        raise ServiceError("the Hugging Face Hub did not say whose token this is", where="whoami")
    return name
