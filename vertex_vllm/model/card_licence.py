"""Licences of models, as their cards name them, and those that a deployment allows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from vertex_vllm.errors import PlanError

FIELD = "licences.allow"
_OTHER = "other"


@dataclass(frozen=True)
class CardLicence:
    """The licence in the head of a model's card: https://huggingface.co/docs/hub/repositories-licenses."""

    ids: tuple[str, ...] = ()
    """The Hub's ids, most of them SPDX's in lower case, for example `apache-2.0`; `other` for one that has no id."""
    name: str = ""
    """The card's `license_name`, which says what `other` means."""
    link: str = ""
    """The card's `license_link`: a file of the repository, or an address."""

    @property
    def names(self) -> tuple[str, ...]:
        """Each licence by its id, and `other` by the name that the card gives it."""
        return tuple(self.name if each == _OTHER and self.name else each for each in self.ids)


NO_LICENCE = CardLicence()


def check_licence(model: str, licence: CardLicence, allow: Sequence[str]) -> None:
    """Raises PlanError unless every licence of the card is in `allow`, ignoring case; an empty `allow` allows all.

    `model`: for the message, `owner/name@commit`.
    """
    if not allow:
        return
    place = f"{model}: README.md: license"
    if not licence.names:
        raise PlanError(
            f"no licence of the model is known, and {FIELD} demands one",
            where=place,
            fix=f"Choose another model, or leave {FIELD} out once you have read this one's terms.",
        )
    allowed = {each.lower() for each in allow}
    refused = [each for each in licence.names if each.lower() not in allowed]
    if refused:
        place += "_name" if _OTHER in licence.ids and licence.name in refused else ""
        terms = f" ({licence.link})" if licence.link else ""
        raise PlanError(
            f"the model's licence is {', '.join(refused)}{terms}, and {FIELD} lists {', '.join(allow)} alone",
            where=place,
            fix=f"Choose another model, or add {refused[0]} to {FIELD} if its terms are accepted.",
        )
