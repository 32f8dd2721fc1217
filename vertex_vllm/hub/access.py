"""Whether a token may read a model, and which commit a revision is."""

from collections.abc import Mapping
from dataclasses import dataclass

from vertex_vllm.errors import ServiceError
from vertex_vllm.hub.hub_client import ask_hub
from vertex_vllm.hub.hub_names import check_commit, check_model_id
from vertex_vllm.model.card_licence import NO_LICENCE, CardLicence

# Characters of a card's field.
_LONGEST = 300


@dataclass(frozen=True)
class Access:
    """Access that the Hub grants to the token."""

    user: str
    """Name of the token's account; empty without a token."""
    commit: str
    """40 hexadecimal digits: the revision's commit at the time of the request."""
    gated: bool
    licence: CardLicence = NO_LICENCE


@dataclass(frozen=True)
class Revision:
    """A revision of a model, looked up."""

    commit: str
    gated: bool
    licence: CardLicence = NO_LICENCE


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
    return Access(user, found.commit, found.gated, found.licence)


def look_up(model_id: str, revision: str, token: str | None) -> Revision:
    """The commit behind a revision, and whether the model is gated. Raises as `check_access` does."""
    wanted = revision or "main"
    info = ask_hub(
        lambda api: api.model_info(check_model_id(model_id), revision=wanted),
        token=token,
        model_id=model_id,
        revision=wanted,
    )
    return Revision(check_commit(info.sha or ""), bool(info.gated), _licence(info.tags, info.card_data))


def _licence(tags: object, card: object) -> CardLicence:
    """The licences, from the Hub's tags `license:…`, one per licence of the card; name and link from the card."""
    named = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    ids = (tag.removeprefix("license:") for tag in named if tag.startswith("license:"))
    from huggingface_hub import ModelCardData

    fields: Mapping[str, object] = card.to_dict() if isinstance(card, ModelCardData) else {}
    name, link = (_printable(fields.get(field)) for field in ("license_name", "license_link"))
    return CardLicence(tuple(filter(None, map(_printable, ids))), name, link)


def _printable(value: object) -> str:
    """Text of one line of at most 300 characters; empty for anything else."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST else ""


def _user(token: str) -> str:
    answer = ask_hub(lambda api: api.whoami(), token=token, model_id="")
    name = answer.get("name") if isinstance(answer, dict) else None
    if not isinstance(name, str):
        raise ServiceError("the Hugging Face Hub did not say whose token this is", where="whoami")
    return name
