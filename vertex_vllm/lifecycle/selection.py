"""What a teardown takes away and what it leaves alone, and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.lifecycle.finding import belongs, find_endpoints, find_models, model_versions
from vertex_vllm.resource_names import ResourceName
from vertex_vllm.serving.clients import endpoint_client, model_client
from vertex_vllm.serving.endpoints import get_endpoint


@dataclass(frozen=True)
class Scope:
    """Whose resources go: a deployment's, or with a `run_id` only what that run of it made."""

    project: str
    region: str
    deployment: str
    run_id: str = ""

    def reason_to_stay(self, labels: Mapping[str, str]) -> str:
        """Empty where something with these labels goes."""
        if not belongs(labels, self.deployment):
            return "not labelled as this deployment's"
        if not belongs(labels, self.deployment, self.run_id):
            return f"made by run {labels.get('vertex-vllm-run', 'unknown')}"
        return ""


@dataclass(frozen=True)
class Selection:
    """Resource name → why it stays; an empty reason means that it goes."""

    endpoints: dict[str, str]
    versions: dict[ResourceName, str]

    @property
    def doomed_endpoints(self) -> list[str]:
        return [name for name, reason in self.endpoints.items() if not reason]

    @property
    def doomed_versions(self) -> dict[ResourceName, set[str]]:
        """Model → ids of its versions that go."""
        doomed: dict[ResourceName, set[str]] = {}
        for name, reason in self.versions.items():
            if not reason:
                doomed.setdefault(name.unversioned, set()).add(name.version)
        return doomed

    @property
    def doomed(self) -> set[str]:
        versions = {str(name) for name, reason in self.versions.items() if not reason}
        return versions.union(self.doomed_endpoints)

    @property
    def kept(self) -> dict[str, str]:
        everything = {**self.endpoints, **{str(name): reason for name, reason in self.versions.items()}}
        return {name: reason for name, reason in everything.items() if reason}


def select(scope: Scope) -> Selection:
    """Looks at every endpoint and model version of the deployment. A version that serves on, elsewhere, stays."""
    endpoint_service, model_service = endpoint_client(scope.region), model_client(scope.region)
    found = find_endpoints(endpoint_service, scope.project, scope.region, scope.deployment)
    endpoints = {str(endpoint.name): scope.reason_to_stay(endpoint.labels) for endpoint in found}
    doomed = [name for name, reason in endpoints.items() if not reason]
    versions = {
        model.with_version(version.version_id): scope.reason_to_stay(version.labels)
        or _use_elsewhere(endpoint_service, version, doomed)
        for model in find_models(model_service, scope.project, scope.region, scope.deployment)
        for version in model_versions(model_service, model)
    }
    return Selection(endpoints, versions)


def _use_elsewhere(client: vertex.EndpointServiceClient, version: vertex.Model, doomed: Collection[str]) -> str:
    for use in version.deployed_models:
        # The reference may outlive the endpoint for some moments: ask the endpoint itself.
        endpoint = None if use.endpoint in doomed else get_endpoint(client, use.endpoint)
        if endpoint and any(deployed.id == use.deployed_model_id for deployed in endpoint.deployed_models):
            return f"served by {use.endpoint}"
    return ""
