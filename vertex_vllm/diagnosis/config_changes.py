"""A rule's change for one deployment: fields of its config with their new values.

Every action is a function of the deployment, what is planned for it, and the action's own arguments. An empty result
means that the action does not apply to this deployment.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.parser_table import parser_table
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.diagnosis.rules import Change
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.offers import Offer
from vertex_vllm.planning.plan import ServingPlan

Fields = Mapping[str, Any]
"""Dotted field of a config → its new value; None: the field is left out."""

# Tokens. Proposed lengths are multiples of this step: whole blocks of vLLM's cache, and round numbers for people.
_LENGTH_STEP = 256
_LEAST_LENGTH = 256
_TOOL_FLAGS = ("--enable-auto-tool-choice", "--tool-call-parser")


@dataclass(frozen=True)
class Case:
    """A deployment that failed, with what planning says of it."""

    deployment: Deployment
    facts: ModelFacts
    catalog: Catalog
    plan: ServingPlan | None
    """None: it cannot be planned as it is."""

    def planned(self, name: str) -> Any:
        """The value of a field of `serving`, the planner's where the config leaves it out."""
        value = getattr(self.deployment.serving, name)
        if value or self.plan is None:
            return value
        if name == "max_num_seqs":
            return next((int(arg.partition("=")[2]) for arg in self.plan.args if arg.startswith("--max-num-seqs=")), 0)
        return getattr(self.plan, name, value)


def fields_of(change: Change, case: Case) -> Fields:
    """The change as fields of the deployment's config; empty where it does not apply."""
    return ACTIONS[change.action](case, *change.arguments)


def _halve(case: Case, field: str) -> Fields:
    value = int(case.planned(field.partition(".")[2]) or 0)
    return {field: value // 2} if value >= 2 else {}


def _lower_length(case: Case, tokens: str) -> Fields:
    """The length that the log says is possible, in whole steps; half of the present length if the log says none."""
    if not tokens.isdigit():
        return _halve(case, "serving.max_model_len")
    most = int(tokens)
    length = most - most % _LENGTH_STEP if most > _LENGTH_STEP else most
    asked = case.planned("max_model_len")
    if length < min(_LEAST_LENGTH, most) or (asked and length >= asked):
        return {}
    return {"serving.max_model_len": length, **_without(case, "--max-model-len")}


def _lower_share(case: Case, step: str) -> Fields:
    share = round(case.deployment.serving.gpu_memory_utilization - float(step), 3)
    return {"serving.gpu_memory_utilization": share} if share >= 0.5 else {}


def _raise_share(case: Case, most: str) -> Fields:
    now = case.deployment.serving.gpu_memory_utilization
    return {"serving.gpu_memory_utilization": float(most)} if now < float(most) else {}


def _raise_length(case: Case, tokens: str) -> Fields:
    """A whole number of steps that leaves room for one more token than the log asks for."""
    if not tokens.isdigit():
        return {}
    length = (int(tokens) // _LENGTH_STEP + 1) * _LENGTH_STEP
    return {"serving.max_model_len": length} if length > int(case.planned("max_model_len") or 0) else {}


def _other_dtype(case: Case, refused: str) -> Fields:
    """The other of the two 16-bit formats."""
    other = {"bfloat16": "float16", "float16": "bfloat16"}.get(refused, "")
    return {**_set(case, "serving.dtype", other), **_without(case, "--dtype")} if other else {}


def _set(case: Case, field: str, value: str) -> Fields:
    typed: Any = _typed(value)
    now = _value(case.deployment, field)
    return {} if now == typed or typed == "" else {field: typed}


def _unset(case: Case, field: str) -> Fields:
    return {field: None} if _value(case.deployment, field) else {}


def _add_argument(case: Case, argument: str) -> Fields:
    arguments = case.deployment.serving.extra_args
    return {} if argument in arguments else {"serving.extra_args": [*arguments, argument]}


def _set_argument(case: Case, flag: str, value: str) -> Fields:
    if not value:
        return {}
    kept = _kept(case.deployment.serving.extra_args, {flag})
    return {"serving.extra_args": [*kept, f"{flag}={value}"]}


def _remove_argument(case: Case, flag: str) -> Fields:
    return _without(case, flag)


def _remove_arguments(case: Case, text: str) -> Fields:
    """Every option that the text names."""
    return _without(case, *re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", text))


def _remove_setting(case: Case, name: str) -> Fields:
    """The field of `serving` of that name left out, or else vLLM's option of that name."""
    field = name.partition(".")[0]
    if field in type(case.deployment.serving).model_fields:
        return {f"serving.{field}": None}
    return _without(case, f"--{field.replace('_', '-')}")


def _without(case: Case, *flags: str) -> Fields:
    arguments = case.deployment.serving.extra_args
    kept = _kept(arguments, set(flags))
    return {"serving.extra_args": kept or None} if kept != arguments else {}


def _kept(arguments: list[str], flags: set[str]) -> list[str]:
    """Arguments without these options and the values that follow them as items of their own."""
    kept, dropping = [], False
    for item in arguments:
        if item.startswith("-"):
            dropping = item.partition("=")[0] in flags
        if not dropping:
            kept.append(item)
    return kept


def _larger_machine(case: Case, by: str) -> Fields:
    """The first other offer that has more of the missing resource and that the planner says fits."""
    if case.plan is None:
        return _replan_machine(case)
    now = case.catalog.machines.get(case.plan.machine_type)
    for offer in case.plan.alternatives:
        machine = case.catalog.machines.get(offer.machine_type)
        if offer.verdict == "fits" and machine and now and _more(by, machine, now, case):
            return _machine(offer)
    return {}


def _more(by: str, machine: Any, now: Any, case: Case) -> bool:
    if by in ("host", "disk"):
        return bool(machine.host_memory_gib > now.host_memory_gib)
    if by == "accelerators":
        return bool(machine.count > now.count)
    accelerators = case.catalog.accelerators
    there, here = accelerators[machine.accelerator], accelerators[now.accelerator]
    return bool(machine.count * there.memory_gb > now.count * here.memory_gb)


def _other_machine(case: Case, by: str) -> Fields:
    """The first other offer, of a newer generation (`capability`) or of fewer accelerators, that the planner says fits.

    Newer and fewer, so that no patch leads back to a machine that has failed.
    """
    if case.plan is None:
        return _replan_machine(case)
    for offer in case.plan.alternatives:
        fewer = offer.accelerator_count < case.plan.accelerator_count
        if offer.verdict == "fits" and (fewer if by == "accelerators" else _newer(offer, case.plan, case)):
            return _machine(offer)
    return {}


def _newer(offer: Offer, plan: ServingPlan, case: Case) -> bool:
    machines, accelerators = case.catalog.machines, case.catalog.accelerators
    there, here = machines.get(offer.machine_type), machines.get(plan.machine_type)
    if there is None or here is None:
        return False
    return bool(accelerators[there.accelerator].capability > accelerators[here.accelerator].capability)


def _machine(offer: Offer) -> Fields:
    return {
        "serving.machine_type": offer.machine_type,
        "serving.accelerator_type": None,
        "serving.accelerator_count": None,
    }


def _replan_machine(case: Case, _: str = "") -> Fields:
    """Leaves the machine to the planner."""
    serving = case.deployment.serving
    named = ("machine_type", "accelerator_type", "accelerator_count")
    return {f"serving.{name}": None for name in named if getattr(serving, name)}


def _add_fallback(case: Case, _: str = "") -> Fields:
    """The next best machine in the same region, as a fallback."""
    if case.plan is None:
        return {}
    taken = {named.partition("/")[2] for named in case.deployment.serving.fallbacks}
    region = case.deployment.google_cloud.region
    for offer in case.plan.alternatives:
        if offer.verdict == "fits" and offer.machine_type not in taken:
            places = [*case.deployment.serving.fallbacks, f"{region}/{offer.machine_type}"]
            return {"serving.fallbacks": places}
    return {}


def _family_tool_parser(case: Case, _: str = "") -> Fields:
    """The first parser of the model's family, where vLLM's own arguments ask for tools; the plan says whether the image
    has it."""
    if not any(item.startswith(_TOOL_FLAGS) for item in case.deployment.serving.extra_args):
        return {}
    family = parser_table().family("tools", case.facts.architecture, case.facts.chat_marks)
    if family is None:
        return {}
    return _set_argument(case, "--tool-call-parser", family.parsers[0])


def _serve_tools(case: Case, _: str = "") -> Fields:
    """The config's own field in the place of vLLM's arguments: the planner then chooses the parser."""
    if case.deployment.serving.tools:
        return {}
    return {"serving.tools": True, **_without(case, *_TOOL_FLAGS)}


def _token_secret(case: Case, _: str = "") -> Fields:
    """The secret that bootstrap makes, where the config names none."""
    return {} if case.deployment.hf_token_secret else {"hf_token_secret": "hf-token"}


def _value(deployment: Deployment, field: str) -> Any:
    value: Any = deployment
    for part in field.split("."):
        value = getattr(value, part)
    return value


def _typed(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if re.fullmatch(r"\d+", value):
        return int(value)
    return float(value) if re.fullmatch(r"\d+\.\d+", value) else value


ACTIONS: Mapping[str, Callable[..., Fields]] = {
    "halve": _halve,
    "lower_length": _lower_length,
    "raise_length": _raise_length,
    "lower_share": _lower_share,
    "raise_share": _raise_share,
    "set": _set,
    "other_dtype": _other_dtype,
    "unset": _unset,
    "add_argument": _add_argument,
    "set_argument": _set_argument,
    "remove_argument": _remove_argument,
    "remove_arguments": _remove_arguments,
    "remove_setting": _remove_setting,
    "larger_machine": _larger_machine,
    "other_machine": _other_machine,
    "replan_machine": _replan_machine,
    "add_fallback": _add_fallback,
    "family_tool_parser": _family_tool_parser,
    "serve_tools": _serve_tools,
    "token_secret": _token_secret,
}
