"""Facts about a plan that its reader should know before it runs, although none of them forbids it."""

from collections.abc import Iterator

from vertex_vllm.catalog import Catalog
from vertex_vllm.config import Deployment
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.advisories import advisories_of
from vertex_vllm.planning.image_choice import ImageChoice
from vertex_vllm.planning.machine_choice import MachineChoice
from vertex_vllm.planning.requirements import Requirements


def plan_warnings(
    facts: ModelFacts, deployment: Deployment, choice: MachineChoice, required: Requirements, catalog: Catalog
) -> tuple[str, ...]:
    """A sentence each, the gravest first; `plan --strict` takes any of them for a failure."""
    return (
        *_access(facts, deployment),
        *_machine(choice, deployment, required),
        *_image(facts, required.image, catalog),
        *(f"doubt: {doubt}" for doubt in required.settings.doubts),
    )


def _access(facts: ModelFacts, deployment: Deployment) -> Iterator[str]:
    if facts.gated and not deployment.hf_token_secret:
        yield (
            f"{facts.model_id} is gated and the config names no hf_token_secret: the run's first step would be "
            "refused. Accept the licence on the Hub, put a read token into Secret Manager, name the secret"
        )
    if facts.pickled:
        yield "the weights are pickled: loading them can run code of the repository's author. Prefer safetensors"


def _machine(choice: MachineChoice, deployment: Deployment, required: Requirements) -> Iterator[str]:
    machine, region = choice.machine, deployment.google_cloud.region
    if machine.recommended_regions and region not in machine.recommended_regions:
        named = ", ".join(machine.recommended_regions)
        yield f"Google names {machine.machine} for {named}, not for {region}: it may be out of stock for long"
    if choice.offer.verdict == "uncertain":
        yield f"whether the model fits {machine.machine} is uncertain: {choice.memory_reason.partition('; ')[0]}"
    for objection in choice.objections:
        doubt = "may be too small" if objection.size else "may be refused by vLLM"
        yield f"{machine.machine} {doubt}: {objection.text}"
    if choice.room is not None and choice.room < required.concurrency:
        yield f"the cache holds {choice.room} of {required.full_requests}; others wait in vLLM's queue"
    if choice.offer.usd_per_hour is None:
        yield f"the price of {machine.machine} in {region} is not in the catalogue"


def _image(facts: ModelFacts, image: ImageChoice, catalog: Catalog) -> Iterator[str]:
    for row in advisories_of(facts, image.versions, catalog):
        yield f"advisory {row.advisory}: {row.about}; fixed in vLLM {row.fixed}, and the image has {image.versions}"
