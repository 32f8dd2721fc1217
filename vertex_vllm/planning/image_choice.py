"""Chooses the container image: the one that the deployment names, or the newest whose vLLM has the architecture."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vertex_vllm.catalog import Catalog, Missing
from vertex_vllm.catalog.rows import Architecture, Image
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.advisories import advisories_of, advisories_of_model, advisories_told
from vertex_vllm.vllm_versions import Presence, VersionRange, version_key

UNSERVABLE_VARIANTS = {"arm": "is built for ARM machines", "tpu": "is built for TPUs"}
WHERE = "serving.image"
# "This URI must identify an image in Artifact Registry or Container Registry" (ModelContainerSpec.image_uri).
_PULLED_FROM = re.compile(r"([a-z0-9-]+-)?docker\.pkg\.dev|([a-z]+\.)?gcr\.io")


@dataclass(frozen=True)
class ImageChoice:
    uri: str
    versions: VersionRange | None
    """None: not known at all."""
    reason: str

    @property
    def vllm(self) -> str:
        """`vLLM 0.9.2`, or words for an unknown version."""
        return f"vLLM {self.versions}" if self.versions else "an unknown vLLM"


def choose_image(facts: ModelFacts, wanted: str, catalog: Catalog, forbid_advisories: bool = False) -> ImageChoice:
    """The image to serve with; `forbid_advisories`: none with a known security advisory that touches the model.

    Raises PlanError where the architecture generates nothing, where the wanted image lacks it or runs on no GPU, and
    where no image has it.
    """
    row = catalog.architectures.get(facts.architecture)
    if row is not None and row.takes == "pooling":
        raise PlanError(
            f"{facts.model_id} ({row.architecture}) embeds, ranks or classifies: it generates no text",
            where="model.id",
            fix="Choose a model that generates text",
        )
    found = _check_wanted(wanted, facts, row, catalog) if wanted else _newest(facts, row, catalog)
    against = advisories_of(facts, found.versions, catalog)
    if not against:
        return found
    clean = _clean(facts, row, catalog)
    if not forbid_advisories:
        other = f"; {clean.uri.rpartition('/')[2]} has none of these" if clean else "; no known image is free of them"
        return replace(found, reason=f"{found.reason}; advisories: {advisories_told(against)}{other}")
    if clean and not wanted:
        return _choice(clean, "newest image without a known advisory that touches this model")
    raise PlanError(
        f"{found.uri} has {found.vllm}, with {advisories_told(against)}",
        where=WHERE,
        fix=f"Name {clean.uri}" if clean else "Name an image of your own with a newer vLLM, or allow advisories",
    )


def _clean(facts: ModelFacts, row: Architecture | None, catalog: Catalog) -> Image | None:
    """The newest image whose vLLM has the architecture and no advisory that touches the model."""
    return next(
        (
            image
            for image in chosen_from(catalog)
            if _presence(image, row, catalog) == "present" and not advisories_of(facts, image.versions, catalog)
        ),
        None,
    )


def _check_wanted(wanted: str, facts: ModelFacts, row: Architecture | None, catalog: Catalog) -> ImageChoice:
    image = catalog.find_image(wanted)
    digest = wanted.partition("@")[2]
    if isinstance(image, Missing) or (digest and image.digest and digest != image.digest):
        return _own(wanted)
    if image.variant in UNSERVABLE_VARIANTS:
        raise PlanError(
            f"{wanted} {UNSERVABLE_VARIANTS[image.variant]}",
            where=WHERE,
            fix=f"Leave it out: {_newest(facts, row, catalog).uri} would be taken",
        )
    if _presence(image, row, catalog) == "absent" and row is not None:
        raise PlanError(
            f"{wanted} has vLLM {image.versions}, which does not have {row.architecture} ({_lifetime(row)})",
            where=WHERE,
            fix=f"Leave it out: {_newest(facts, row, catalog).uri} would be taken",
        )
    remarks = ["named in the deployment"]
    if image.floating:
        remarks.append("its tag floats: another image may be behind it tomorrow")
    if _presence(image, row, catalog) == "unknown":
        remarks.append(f"whether its vLLM has {facts.architecture} is not known to the catalogue")
    if image.digest and not digest and not image.floating:
        remarks.append(f"tag {image.tag} by its digest")
    return ImageChoice(wanted if digest else image.pinned, image.versions, "; ".join(remarks))


def _own(wanted: str) -> ImageChoice:
    """An image that the catalogue does not have. Raises PlanError for one that Vertex AI cannot pull."""
    if not _PULLED_FROM.fullmatch(wanted.partition("/")[0]):
        raise PlanError(
            f"Vertex AI pulls images from Artifact Registry and Container Registry alone, not {wanted}",
            where=WHERE,
            fix="Copy it to REGION-docker.pkg.dev/PROJECT/REPOSITORY, or leave it out",
        )
    return ImageChoice(
        wanted,
        None,
        "named in the deployment, not in the catalogue: which vLLM it has is not known, so the "
        "architecture could not be checked against it, arguments only against every known version; it must run its "
        "arguments as a command, take --model=gs://… as Model Garden's images do, and answer GET /ping and POST "
        "/generate on port 8080",
    )


def _newest(facts: ModelFacts, row: Architecture | None, catalog: Catalog) -> ImageChoice:
    candidates = chosen_from(catalog)
    of_google = [image for image in candidates if image.evidence == "google"]
    if row is None:
        return _choice(
            of_google[0],
            f"newest image that Google names; {facts.architecture} is not known to the catalogue, so vLLM may refuse "
            "it or fall back to a slower generic implementation",
        )
    trusted = [image for image in of_google if _trusted(image, row)]
    untouched = [image for image in trusted if not advisories_of_model(facts, image.versions, catalog)]
    surely = _first(untouched, row, catalog, "present") or _first(trusted, row, catalog, "present")
    if surely:
        return _choice(surely, f"newest image that Google names whose vLLM has {row.architecture}{_ending(row)}")
    reported = _first(candidates, row, catalog, "present")
    if reported:
        return _choice(
            reported,
            f"newest image whose vLLM has {row.architecture} ({_lifetime(row)}); Google itself names none that does, "
            "this one is known from others' files alone",
        )
    perhaps = _first(candidates, row, catalog, "unknown")
    if perhaps:
        return _choice(
            perhaps, f"newest image whose vLLM may have {row.architecture} ({_lifetime(row)}); none surely does"
        )
    raise PlanError(
        f"no known image has a vLLM with {row.architecture} ({_lifetime(row)})",
        where="model.id",
        fix=f"Name an image of your own that has one in {WHERE}, or choose another model",
    )


def chosen_from(catalog: Catalog) -> list[Image]:
    """Images that a plan may choose, the newest first."""
    found = [image for image in catalog.images.values() if image.variant == "gpu" and not image.floating]
    known = [image for image in found if image.versions]
    return sorted(known, key=lambda image: image.date or datetime.date.min, reverse=True)


def _trusted(image: Image, row: Architecture) -> bool:
    """Whether an image is old enough for an architecture that was removed: an inferred version may be a little low."""
    if image.published or not row.removed_after or image.versions is None:
        return True
    return version_key(image.versions.latest) < version_key(row.removed_after)


def _ending(row: Architecture) -> str:
    return f", which {_lifetime(row)}" if row.removed_after else ""


def _first(images: Sequence[Image], row: Architecture, catalog: Catalog, wanted: Presence) -> Image | None:
    return next((image for image in images if _presence(image, row, catalog) == wanted), None)


def _presence(image: Image, row: Architecture | None, catalog: Catalog) -> Presence:
    return catalog.architecture_presence(row, image.versions) if row else "unknown"


def _choice(image: Image, reason: str) -> ImageChoice:
    inferred = "" if image.published else "; its version is inferred, not published"
    by_digest = f"; tag {image.tag} by its digest" if image.digest else ""
    return ImageChoice(image.pinned, image.versions, reason + inferred + by_digest)


def _lifetime(row: Architecture) -> str:
    if row.removed_after:
        return f"had it until {row.removed_after}"
    return f"first seen in {row.first}"
