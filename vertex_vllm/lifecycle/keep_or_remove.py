"""Decides which labelled endpoints and model versions are deleted and which are kept, with reasons."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.labels import LIVE, RUN_LABEL, STAGE_LABEL, belongs
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client
from vertex_vllm.vertex_ai.endpoints import get_endpoint
from vertex_vllm.vertex_ai.find_by_label import every_endpoint, every_model, model_versions
from vertex_vllm.vertex_ai.resource_names import ResourceName


@dataclass(frozen=True)
class Verdict:
    """Whether a resource is deleted, with the reason."""

    goes: bool
    reason: str = ""


class Rule(Protocol):
    """Decides from labels alone."""

    @property
    def project(self) -> str: ...
    @property
    def region(self) -> str: ...

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether the rule applies to a resource with these labels."""

    def verdict(self, labels: Mapping[str, str], *, promoted: bool) -> Verdict:
        """`promoted`: an endpoint that is or was live; a model version that is."""


@dataclass(frozen=True)
class Scope:
    """The rule of a teardown: the resources of a deployment, or with a `run_id` only those that this run created."""

    project: str
    region: str
    deployment: str
    run_id: str = ""
    """Empty: all runs of the deployment."""

    def concerns(self, labels: Mapping[str, str]) -> bool:
        return belongs(labels, self.deployment)

    def verdict(self, labels: Mapping[str, str], *, promoted: bool) -> Verdict:
        if not belongs(labels, self.deployment):
            return Verdict(False, "not labelled as this deployment's")
        if not belongs(labels, self.deployment, self.run_id):
            return Verdict(False, f"made by run {labels.get(RUN_LABEL, 'unknown')}")
        return Verdict(True)


@dataclass(frozen=True)
class Selection:
    """The endpoints and model versions to which a rule applies."""

    endpoints: dict[str, Verdict]
    versions: dict[ResourceName, Verdict]
    live: frozenset[str] = frozenset()
    """Endpoints that are live, with any verdict."""

    @property
    def doomed_endpoints(self) -> list[str]:
        return [name for name, verdict in self.endpoints.items() if verdict.goes]

    @property
    def doomed_versions(self) -> dict[ResourceName, set[str]]:
        """Model → ids of its versions to delete."""
        doomed: dict[ResourceName, set[str]] = {}
        for name, verdict in self.versions.items():
            if verdict.goes:
                doomed.setdefault(name.unversioned, set()).add(name.version)
        return doomed

    @property
    def doomed(self) -> dict[str, str]:
        """Name → why it is deleted."""
        return {name: verdict.reason for name, verdict in self._all.items() if verdict.goes}

    @property
    def kept(self) -> dict[str, str]:
        """Name → why it is kept."""
        return {name: verdict.reason for name, verdict in self._all.items() if not verdict.goes}

    @property
    def _all(self) -> dict[str, Verdict]:
        return {**self.endpoints, **{str(name): verdict for name, verdict in self.versions.items()}}


def select(rule: Rule) -> Selection:
    """Applies the rule to every endpoint and model version. A version that another endpoint still serves is kept."""
    endpoint_service, model_service = endpoint_client(rule.region), model_client(rule.region)
    listed = every_endpoint(endpoint_service, rule.project, rule.region)
    endpoints = {
        str(endpoint.name): rule.verdict(endpoint.labels, promoted=STAGE_LABEL in endpoint.labels)
        for endpoint in listed
        if rule.concerns(endpoint.labels)
    }
    live = frozenset(str(endpoint.name) for endpoint in listed if endpoint.labels.get(STAGE_LABEL) == LIVE)
    doomed = [name for name, verdict in endpoints.items() if verdict.goes]
    versions: dict[ResourceName, Verdict] = {}
    for model in every_model(model_service, rule.project, rule.region):
        if not rule.concerns(model.labels):
            continue
        name = ResourceName.parse(model.name, "models").unversioned
        for version in model_versions(model_service, name):
            verdict = rule.verdict(version.labels, promoted=LIVE in version.version_aliases)
            if verdict.goes and (use := _use_elsewhere(endpoint_service, version, doomed)):
                verdict = Verdict(False, use)
            versions[name.with_version(version.version_id)] = verdict
    return Selection(endpoints, versions, live)


def _use_elsewhere(client: vertex.EndpointServiceClient, version: vertex.Model, doomed: Collection[str]) -> str:
    for use in version.deployed_models:
        # The reference may outlive the endpoint for some moments: ask the endpoint itself.
        endpoint = None if use.endpoint in doomed else get_endpoint(client, use.endpoint)
        if endpoint and any(deployed.id == use.deployed_model_id for deployed in endpoint.deployed_models):
            return f"served by {use.endpoint}"
    return ""
