"""From facts, deployment and catalogue to a `ServingPlan`. Pure: reads no file and calls no service."""

from collections.abc import Mapping
from dataclasses import replace

from vertex_vllm.catalog import Catalog
from vertex_vllm.config.catalogue_check import check_against_catalog
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.errors import PlanError
from vertex_vllm.model.card_licence import check_licence
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.rope import overridden_length, overridden_rope_doubts
from vertex_vllm.planning.answer_parsers import AnswerParsers, answer_parsers, suitable_parser
from vertex_vllm.planning.argument_forms import check_forms
from vertex_vllm.planning.arguments import PORT, build_arguments, check_extra
from vertex_vllm.planning.autoscaling import scaling_metric
from vertex_vllm.planning.command_line import Argument, effective_values, parse_arguments
from vertex_vllm.planning.consent import check_consent, check_pickled, code_told
from vertex_vllm.planning.context import Context
from vertex_vllm.planning.headroom import Quotas
from vertex_vllm.planning.image_choice import ImageChoice, choose_image, chosen_from
from vertex_vllm.planning.machine_choice import MachineChoice, choose_machine
from vertex_vllm.planning.memory.account import MemoryAccount
from vertex_vllm.planning.method_presence import lacking_methods
from vertex_vllm.planning.plan import QuotaNeed, ServingPlan
from vertex_vllm.planning.plan_warnings import plan_warnings
from vertex_vllm.planning.requirements import Requirements
from vertex_vllm.planning.servable import check_servable, model_doubts, most_image_tokens
from vertex_vllm.planning.settings import settle
from vertex_vllm.planning.size_rule import SHARED_MEMORY_MB
from vertex_vllm.planning.start_time import expected_start

# Routes of Model Garden's vLLM container (Google's tutorial, item 5).
PREDICT_ROUTE = "/generate"
HEALTH_ROUTE = "/ping"
_ANOTHER_FORMAT = "Choose a repository whose weights are not quantised, or are by another method"


def plan_serving(
    facts: ModelFacts, deployment: Deployment, catalog: Catalog, quotas: Quotas | None = None
) -> ServingPlan:
    """The plan of a deployment, with the reason for each choice, and a plan for each fallback.

    `quotas` are the project's quotas as far as they were read; without them, quota plays no part.

    Raises:
        PlanError: the model cannot be served as asked; the message names the obstacle, `fix` a remedy.
    """
    plan = _plan_places(facts, deployment, catalog, quotas or {}, 0)
    shortest = min(each.max_model_len for each in (plan, *plan.fallbacks))
    if plan.max_model_len == shortest == max(each.max_model_len for each in (plan, *plan.fallbacks)):
        return plan
    # A client does not know which place serves it: all places accept prompts of the same length.
    return _plan_places(facts, deployment, catalog, quotas or {}, shortest)


def _plan_places(
    facts: ModelFacts, deployment: Deployment, catalog: Catalog, quotas: Quotas, longest: int
) -> ServingPlan:
    plan = _plan_one(facts, deployment, catalog, quotas, longest)
    fallbacks = tuple(
        _plan_fallback(number, named, facts, deployment, catalog, longest)
        for number, named in enumerate(deployment.serving.fallbacks)
    )
    _check_distinct(plan, fallbacks)
    return replace(plan, fallbacks=fallbacks)


def _plan_one(facts: ModelFacts, deployment: Deployment, catalog: Catalog, quotas: Quotas, longest: int) -> ServingPlan:
    serving = deployment.serving
    preset = catalog.preset(facts.model_id)
    required, extra, parsers = _require(facts, deployment, catalog, quotas)
    image, facts = required.image, required.facts
    choice = choose_machine(required, preset, longest)
    settings = replace(required.settings, max_model_len=choice.context.tokens)
    given = (*parse_arguments(parsers.arguments, catalog), *extra)
    arguments = build_arguments(settings, choice.tensor_parallel, facts, image, preset, given, catalog)
    # Refused here, before anything is rented; the deploy asks for the same metric.
    scaling_metric(str(image.versions), arguments.args, serving.min_replica_count, serving.max_replica_count)
    chat = facts.chat_template or any(argument.flag == "--chat-template" for argument in extra)
    quota = _quota_need(choice, deployment)
    return ServingPlan(
        deployment=deployment.name,
        config_hash=deployment.config_hash,
        model_id=facts.model_id,
        commit=facts.commit,
        region=deployment.google_cloud.region,
        machine_type=choice.machine.machine,
        accelerator_type=choice.accelerator.accelerator,
        accelerator_count=choice.machine.count,
        spot=serving.spot,
        flex_start_hours=serving.flex_start_hours,
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
            "max_model_len": _length_reason(facts, choice.context),
            "chat": _chat_reason(facts, chat),
            **({"tools": parsers.told} if parsers.told else {}),
            "quota": f"{choice.machine.count} × {choice.accelerator.accelerator} a replica; {_replicas(deployment)}",
            "model_id": f"facts from {facts.source}",
            **({"code": told} if (told := code_told(facts, settings, extra)) else {}),
            **({"doubts": "; ".join(settings.doubts)} if settings.doubts else {}),
        },
        verdict=choice.offer.verdict,
        usd_per_hour=choice.offer.usd_per_hour,
        requests=choice.offer.requests,
        concurrency=required.concurrency,
        load=deployment.evaluation.load.lengths,
        slo=deployment.evaluation.load.slo.words if deployment.evaluation.load.find_highest_rate else "",
        memory=MemoryAccount.of(choice.memory),
        alternatives=choice.alternatives,
        warnings=plan_warnings(facts, deployment, choice, required, catalog),
        start_seconds=expected_start(facts.weight_bytes, facts.shape.layers, arguments.args),
    )


def _plan_fallback(
    number: int, named: str, facts: ModelFacts, deployment: Deployment, catalog: Catalog, longest: int
) -> ServingPlan:
    """The plan for one (region, machine) instead of the first. Raises PlanError that names the entry."""
    region, _, machine = named.partition("/")
    google_cloud = deployment.google_cloud.model_copy(update={"region": region})
    other = {"machine_type": machine, "accelerator_type": "", "accelerator_count": 0, "fallbacks": []}
    serving = deployment.serving.model_copy(update=other)
    elsewhere = deployment.model_copy(update={"google_cloud": google_cloud, "serving": serving})
    try:
        plan = _plan_one(facts, elsewhere, catalog, {}, longest)
    except PlanError as error:
        raise error.reworded(where=f"serving.fallbacks.{number}: {named}") from error
    # The config names its fallbacks: they share its hash.
    return replace(plan, config_hash=deployment.config_hash, alternatives=())


def _check_distinct(plan: ServingPlan, fallbacks: tuple[ServingPlan, ...]) -> None:
    """A fallback must differ from the place that failed."""
    seen = {(plan.region, plan.machine_type)}
    for number, fallback in enumerate(fallbacks):
        place = (fallback.region, fallback.machine_type)
        if place in seen:
            raise PlanError(
                f"{fallback.machine_type} in {fallback.region} is tried before",
                where=f"serving.fallbacks.{number}",
                fix="Leave it out",
            )
        seen.add(place)


def _require(
    facts: ModelFacts, deployment: Deployment, catalog: Catalog, quotas: Quotas
) -> tuple[Requirements, tuple[Argument, ...], AnswerParsers]:
    """The requirements of a machine, the deployment's own arguments, and the parsers of its answers."""
    _check_deployment(deployment, catalog)
    check_licence(f"{facts.model_id}@{facts.commit}", facts.card_licence, deployment.licences.allow)
    check_pickled(facts, deployment.mirror.pickled_weights)
    extra = parse_arguments(deployment.serving.extra_args, catalog)
    given = effective_values(extra)
    check_servable(facts, given, catalog)
    image = choose_image(facts, deployment.serving.image, catalog, deployment.serving.forbid_advisories)
    check_extra(extra, image, catalog)
    facts = _as_overridden(facts, given, image)
    settings = settle(facts, deployment.serving, catalog.preset(facts.model_id), extra)
    _, tool_parser = suitable_parser("tools", facts, image, extra)
    parsers = answer_parsers(settings.tools, facts, image, extra, catalog)
    given_all = (*extra, *parse_arguments(parsers.arguments, catalog))
    doubts = [*check_forms(given_all, image.versions, image.vllm, tool_parser), *parsers.doubts]
    doubts += model_doubts(facts, image, catalog)
    doubts += overridden_rope_doubts(given)
    doubts += _method_doubts(facts, deployment, image, catalog, settings.quantization)
    settings = replace(settings, unmodelled=(*settings.unmodelled, *doubts), doubts=tuple(doubts))
    check_consent(facts, settings, extra)
    return Requirements(facts, settings, image, deployment, catalog, quotas), extra, parsers


def _method_doubts(
    facts: ModelFacts, deployment: Deployment, image: ImageChoice, catalog: Catalog, asked: str
) -> list[str]:
    """Raises PlanError for a quantisation that every version of the image lacks, with an image that serves it."""
    found = list(lacking_methods(facts, image, catalog, asked))
    for message, certain in found:
        if certain and not facts.quantization:
            raise PlanError(message, where="serving.extra_args", fix="Leave --quantization out")
        if certain:
            raise PlanError(
                f"{facts.model_id}: {message}",
                where="serving.image" if deployment.serving.image else "model.id",
                fix=_image_instead(facts, deployment, catalog),
            )
    return [message for message, _ in found]


def _image_instead(facts: ModelFacts, deployment: Deployment, catalog: Catalog) -> str:
    """A fix that names the newest image with which a plan fits, which is tried here; else another model."""
    for image in chosen_from(catalog):
        if any(True for _ in lacking_methods(facts, ImageChoice(image.uri, image.versions, ""), catalog)):
            continue
        serving = deployment.serving.model_copy(update={"image": image.uri, "fallbacks": []})
        try:
            plan = _plan_one(facts, deployment.model_copy(update={"serving": serving}), catalog, {}, 0)
        except PlanError:
            return _ANOTHER_FORMAT
        return f"Name {image.uri} in serving.image" if plan.verdict == "fits" else _ANOTHER_FORMAT
    return _ANOTHER_FORMAT


def _as_overridden(facts: ModelFacts, given: Mapping[str, str], image: ImageChoice) -> ModelFacts:
    """The facts with the context length that arguments and the image's version give the model."""
    kind = facts.text_model_type or facts.model_type
    positions = facts.positions or facts.context_length
    length = overridden_length(given, positions, kind, image.versions)
    facts = facts if length is None else facts.reshaped(context_length=length)
    window = facts.shape.sliding_window
    if "--disable-sliding-window" in given and 0 < window < (facts.context_length or window + 1):
        # vLLM `_get_and_verify_max_len`: without its window the model is taken for as long as the window.
        return facts.reshaped(context_length=window)
    return facts


def _check_deployment(deployment: Deployment, catalog: Catalog) -> None:
    """Raises PlanError for unknown machines and regions, which a deployment without a file may name."""
    for fault in check_against_catalog(deployment, catalog):
        raise PlanError(fault.message, where=".".join(map(str, fault.path)))


def _quota_need(choice: MachineChoice, deployment: Deployment) -> QuotaNeed:
    serving = deployment.serving
    return QuotaNeed(
        quota_id=choice.accelerator.quota_id(serving.preemptible),
        region=deployment.google_cloud.region,
        accelerators=choice.machine.count * serving.max_replica_count,
        minimum=choice.machine.count * serving.min_replica_count,
    )


def _replicas(deployment: Deployment) -> str:
    least, most = deployment.serving.min_replica_count, deployment.serving.max_replica_count
    return f"replicas: {least}" if least == most else f"replicas: {least} to {most}"


def _length_reason(facts: ModelFacts, context: Context) -> str:
    why = context.reason or "named in the deployment"
    largest = most_image_tokens(facts)
    if largest > context.tokens:
        why += f"; one picture at its largest takes {largest} tokens, more than that: requests with one are refused"
    return why


def _chat_reason(facts: ModelFacts, chat: bool) -> str:
    if facts.chat_template:
        return "the repo has a chat template"
    if chat:
        return "a chat template is given"
    return (
        "the repo has no chat template: it completes text, but does not chat; the model's Instruct version, or a "
        "--chat-template in serving.extra_args, would"
    )
