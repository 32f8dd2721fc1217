"""From facts, deployment and catalogue to a `ServingPlan`. Opens nothing, asks nobody."""

from vertex_vllm.catalog import Catalog
from vertex_vllm.config.catalogue_check import check_against_catalog
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.arguments import PORT, build_arguments
from vertex_vllm.planning.facts import ModelFacts
from vertex_vllm.planning.images import choose_image
from vertex_vllm.planning.machines import MachineChoice, Requirements, choose_machine
from vertex_vllm.planning.memory.explain import explain_memory
from vertex_vllm.planning.plan import QuotaNeed, ServingPlan
from vertex_vllm.planning.settings import Argument, Settings, parse_arguments, settle
from vertex_vllm.planning.size_rule import SHARED_MEMORY_MB

# Routes of Model Garden's vLLM container (Google's tutorial, item 5).
PREDICT_ROUTE = "/generate"
HEALTH_ROUTE = "/ping"


def plan_serving(facts: ModelFacts, deployment: Deployment, catalog: Catalog) -> ServingPlan:
    """Decide everything that serving needs, with the reason for each choice.

    Raises:
        PlanError: the model cannot be served as asked; the message says what is in the way, `fix` what would change it.
    """
    serving = deployment.serving
    preset = catalog.preset(facts.model_id)
    required, extra = _require(facts, deployment, catalog)
    settings, image = required.settings, required.image
    choice = choose_machine(required, preset)
    arguments = build_arguments(settings, choice.tensor_parallel, facts, image, preset, extra, catalog)
    chat = facts.chat_template or any(argument.flag == "--chat-template" for argument in extra)
    quota = _quota_need(choice, deployment)
    return ServingPlan(
        deployment=deployment.name,
        model_id=facts.model_id,
        commit=facts.commit,
        region=deployment.google_cloud.region,
        machine_type=choice.machine.machine,
        accelerator_type=choice.accelerator.accelerator,
        accelerator_count=choice.machine.count,
        spot=serving.spot,
        min_replica_count=serving.min_replica_count,
        max_replica_count=serving.max_replica_count,
        image=image.uri,
        vllm_version=str(image.versions or "unknown"),
        args=arguments.args,
        port=PORT,
        predict_route=PREDICT_ROUTE,
        health_route=HEALTH_ROUTE,
        shared_memory_mb=SHARED_MEMORY_MB,
        deployment_timeout_seconds=serving.deployment_timeout_seconds,
        dedicated_endpoint=serving.dedicated_endpoint,
        request_timeout_seconds=serving.request_timeout_seconds,
        max_model_len=settings.max_model_len,
        vision=facts.vision,
        chat=chat,
        quota=quota,
        reasons={
            "machine_type": choice.reason,
            "memory": choice.memory_reason,
            "image": image.reason,
            "args": arguments.reason,
            "max_model_len": _length_reason(facts, deployment, settings, extra),
            "chat": _chat_reason(facts, chat),
            "quota": f"{choice.machine.count} × {choice.accelerator.accelerator} a replica; {_replicas(deployment)}",
            "model_id": f"facts from {facts.source}",
        },
    )


def explain_memory_of(facts: ModelFacts, deployment: Deployment, catalog: Catalog) -> str:
    """The memory of the machine that `plan_serving` chooses, unfolded into its terms; ends with a newline.

    Raises PlanError as `plan_serving`.
    """
    required, _ = _require(facts, deployment, catalog)
    choice = choose_machine(required, catalog.preset(facts.model_id))
    return explain_memory(choice.memory) if choice.memory else f"{choice.memory_reason}\n"


def _require(facts: ModelFacts, deployment: Deployment, catalog: Catalog) -> tuple[Requirements, tuple[Argument, ...]]:
    """What the choice of a machine rests on, and the deployment's own arguments."""
    _check_deployment(deployment, catalog)
    extra = parse_arguments(deployment.serving.extra_args, catalog)
    settings = settle(facts, deployment.serving, catalog.preset(facts.model_id), extra)
    _check_consent(facts, settings)
    image = choose_image(facts, deployment.serving.image, catalog)
    return Requirements(facts, settings, image, deployment, catalog), extra


def _check_deployment(deployment: Deployment, catalog: Catalog) -> None:
    """A deployment made without a file may name what does not exist."""
    for fault in check_against_catalog(deployment, catalog):
        raise PlanError(fault.message, where=".".join(map(str, fault.path)))


def _check_consent(facts: ModelFacts, settings: Settings) -> None:
    if facts.custom_code and not settings.trust_remote_code:
        raise PlanError(
            f"{facts.model_id} brings Python code of its own, which serving it would run",
            where="serving.trust_remote_code",
            fix="Read the code at this commit, and set it to true if you trust it",
        )


def _quota_need(choice: MachineChoice, deployment: Deployment) -> QuotaNeed:
    serving = deployment.serving
    return QuotaNeed(
        quota_id=choice.accelerator.quota_id(serving.spot),
        region=deployment.google_cloud.region,
        accelerators=choice.machine.count * serving.max_replica_count,
        minimum=choice.machine.count * serving.min_replica_count,
    )


def _replicas(deployment: Deployment) -> str:
    least, most = deployment.serving.min_replica_count, deployment.serving.max_replica_count
    return f"replicas: {least}" if least == most else f"replicas: {least} to {most}"


def _length_reason(facts: ModelFacts, deployment: Deployment, settings: Settings, extra: tuple[Argument, ...]) -> str:
    if deployment.serving.max_model_len or any(argument.flag == "--max-model-len" for argument in extra):
        return "named in the deployment"
    if settings.max_model_len == facts.context_length:
        return "all that the model takes"
    takes = f"the model takes {facts.context_length}" if facts.context_length else "what the model takes is not known"
    return f"what Google's tutorial serves with; {takes}"


def _chat_reason(facts: ModelFacts, chat: bool) -> str:
    if facts.chat_template:
        return "the repo has a chat template"
    if chat:
        return "a chat template is given"
    return (
        "the repo has no chat template: it completes text, but does not chat; the model's Instruct version, or a "
        "--chat-template in serving.extra_args, would"
    )
