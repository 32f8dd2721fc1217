"""The image that a plan serves with, by digest: a tag may point at another image tomorrow."""

from collections.abc import Iterable
from dataclasses import replace

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import InputError
from vertex_vllm.google.image_registry import by_digest
from vertex_vllm.labels import IMAGE_TAG_LABEL, label_value
from vertex_vllm.planning.plan import ServingPlan


def with_digest(plan: ServingPlan) -> ServingPlan:
    """The plan, and its fallbacks, with images by the digest that their tags point at now. Raises as `by_digest`."""
    found: dict[str, str] = {}

    def pinned(each: ServingPlan) -> ServingPlan:
        if is_by_digest(each.image):
            return each
        if each.image not in found:
            found[each.image] = by_digest(each.image)
        image, tag = found[each.image], _tag(each.image)
        reason = f"{each.reasons.get('image', '')}; tag {tag} by its digest of now".removeprefix("; ")
        return replace(each, image=image, image_tag=tag, reasons={**each.reasons, "image": reason})

    return replace(pinned(plan), fallbacks=tuple(map(pinned, plan.fallbacks)))


def is_by_digest(image: str) -> bool:
    return "@sha256:" in image


def require_digest(plan: ServingPlan) -> None:
    """Raises InputError for a plan whose image is named by a tag: replicas of one version could run two images."""
    if not is_by_digest(plan.image):
        raise InputError(
            f"the plan names its image by a tag, {plan.image}",
            where="image",
            fix="Plan again: the step plan_serving reads what the tag points at. Or name it as IMAGE@sha256:DIGEST.",
        )


def moved_tag(plan: ServingPlan, versions: Iterable[vertex.Model]) -> str:
    """A sentence where the tag pointed at another digest when the newest of `versions` with that tag was uploaded."""
    name, _, digest = plan.image.partition("@")
    for version in versions:
        earlier_name, _, earlier = version.container_spec.image_uri.partition("@")
        tag = version.labels.get(IMAGE_TAG_LABEL, "")
        if plan.image_tag and (tag, earlier_name) == (label_value(plan.image_tag), name):
            said = f"tag {plan.image_tag} of {name} has moved: {earlier} in version {version.version_id}, {digest} now"
            return said if earlier != digest else ""
    return ""


def _tag(image: str) -> str:
    name, _, tag = image.rpartition(":")
    return tag if name and "/" not in tag else "latest"
