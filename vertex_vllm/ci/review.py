"""One changed config, before and after: valid or not, and what would be served."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from vertex_vllm.catalog import Catalog, Missing
from vertex_vllm.ci.concerned_configs import Concerned
from vertex_vllm.ci.signature import check_signature, signature
from vertex_vllm.config import Deployment, Fault, located, parse_deployment
from vertex_vllm.config.pipeline_parameters import parameter_values
from vertex_vllm.error_data import ConfigFault, ErrorText
from vertex_vllm.errors import ConfigError, PlanError
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving

NEEDS_HUB = "not planned: the catalogue has no facts of {model}; `vertex-vllm plan {config}` reads them from the Hub"


@dataclass(frozen=True)
class Side:
    """A config at one commit."""

    deployment: Deployment | None
    """None: the file does not exist or is not valid."""
    plan: ServingPlan | None
    faults: tuple[ConfigFault, ...] = ()
    note: str = ""
    """Reason why a valid config has no plan."""


@dataclass(frozen=True)
class Review:
    concerned: Concerned
    before: Side | None
    """None: the base has no such file."""
    after: Side

    @property
    def config(self) -> str:
        return self.concerned.config

    @property
    def parameters(self) -> tuple[tuple[str, Any, Any], ...]:
        """Parameters of deploy that differ: name, before, after."""
        if self.before is None or self.before.deployment is None or self.after.deployment is None:
            return ()
        old, new = (_parameters(side.deployment) for side in (self.before, self.after) if side.deployment)
        return tuple((name, old[name], value) for name, value in new.items() if old[name] != value)


def review(
    concerned: Concerned,
    before: str | None,
    after: str,
    pipeline: str,
    spec: str | None,
    catalog: Catalog,
    further: Sequence[Fault] = (),
) -> Review:
    """Both texts are judged by the library and catalogue as they are now; `spec` is the pipeline's, compiled.

    `further` are faults that show only beside the other configs.
    """
    old = None if before is None else side(concerned.config, before, catalog)
    new = side(concerned.config, after, catalog)
    if new.deployment is not None:
        faults = located(after, concerned.config, [*signature_faults(new.deployment, pipeline, spec), *further])
        new = replace(new, faults=(*new.faults, *faults))
    return Review(concerned, old, new)


def repeated_names(texts: Mapping[str, str]) -> dict[str, tuple[Fault, ...]]:
    """Config → what is wrong with its name where another one has it: they would take each other's endpoint."""
    configs: dict[str, list[str]] = {}
    for config, text in texts.items():
        with suppress(ConfigError):
            configs.setdefault(parse_deployment(text, config).name, []).append(config)
    return {
        config: (Fault(("name",), f"{others[0]} has this name too. Give each deployment a name of its own"),)
        for sharing in configs.values()
        for config in sharing
        if (others := [other for other in sharing if other != config])
    }


def side(config: str, text: str, catalog: Catalog) -> Side:
    """The config as it is planned offline, from facts that the catalogue has recorded."""
    try:
        deployment = parse_deployment(text, config)
    except ConfigError as error:
        return Side(None, None, error.faults)
    facts = catalog.facts(deployment.model.id)
    if isinstance(facts, Missing):
        return Side(deployment, None, note=NEEDS_HUB.format(model=deployment.model.id, config=config))
    try:
        return Side(deployment, plan_serving(facts, deployment, catalog))
    except PlanError as error:
        message = str(ErrorText(error.message, fix=error.fix))
        fault = Fault(tuple(error.where.split(".")) if error.where else (), message)
        return Side(deployment, None, tuple(located(text, config, [fault])))


def signature_faults(deployment: Deployment, pipeline: str, spec: str | None) -> list[Fault]:
    if spec is None:
        return [Fault((), f"there is no compiled/{pipeline}.yaml to run it with. Run `make compile` and commit it")]
    try:
        inputs: Mapping[str, Any] = signature(spec)
    except ValueError as error:
        return [Fault((), f"compiled/{pipeline}.yaml is not a compiled pipeline: {error}. Run `make compile`")]
    return check_signature(deployment, pipeline, inputs)


def _parameters(deployment: Deployment) -> dict[str, Any]:
    return parameter_values("deploy", deployment, deployment.google_cloud.project)
