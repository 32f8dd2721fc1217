"""Endpoints that a promotion has replaced: removing them, and rolling back to one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import InputError, LockedError, RegionClosedError
from vertex_vllm.labels import LIVE, STAGE_LABEL, SUPERSEDED, Marks, Owner, belongs
from vertex_vllm.lifecycle.keep_or_remove import Rule, Selection, Verdict
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client, service_errors
from vertex_vllm.vertex_ai.find_by_label import find_endpoints, model_versions
from vertex_vllm.vertex_ai.resource_names import ResourceName


@dataclass
class SupersededOf:
    """Selects the superseded endpoints of one deployment, and the model versions that no other endpoint serves.

    A version is found through its endpoint, so the call after a removal remembers the versions of the call before it.
    """

    deployment: str
    _versions: dict[str, set[ResourceName]] = field(default_factory=dict)
    """Region → versions. Each region has a thread of its own."""

    def __call__(self, rule: Rule) -> Selection:
        """The selection in the project and region of `rule`."""
        endpoints = find_endpoints(endpoint_client(rule.region), rule.project, rule.region, self.deployment)
        going = [endpoint for endpoint in endpoints if endpoint.labels.get(STAGE_LABEL) == SUPERSEDED]
        known = self._versions.setdefault(rule.region, set())
        known |= {_version(deployed) for endpoint in going for deployed in endpoint.deployed_models}
        verdicts = {
            str(endpoint.name): Verdict(endpoint in going, f"is {endpoint.labels.get(STAGE_LABEL) or 'not promoted'}")
            for endpoint in endpoints
        }
        return Selection(verdicts, self._looked_up(rule.region, known, {endpoint.name for endpoint in going}))

    def _looked_up(self, region: str, known: set[ResourceName], going: set[str]) -> dict[ResourceName, Verdict]:
        verdicts: dict[ResourceName, Verdict] = {}
        client = model_client(region)
        for model in {version.unversioned for version in known}:
            for version in model_versions(client, model):
                name = model.with_version(version.version_id)
                if name in known and belongs(version.labels, self.deployment):
                    verdicts[name] = _verdict(version, going)
        return verdicts


def _verdict(version: vertex.Model, going: set[str]) -> Verdict:
    users = sorted({use.endpoint for use in version.deployed_models} - going)
    if LIVE in version.version_aliases:
        return Verdict(False, "is the live version")
    return Verdict(False, f"served by {users[0]}") if users else Verdict(True, "served by superseded endpoints only")


def _version(deployed: vertex.DeployedModel) -> ResourceName:
    name = ResourceName.parse(deployed.model, "models")
    return name.with_version(name.version or deployed.model_version_id)


@dataclass(frozen=True)
class RolledBack:
    """Resource names after a rollback."""

    live: str
    superseded: tuple[str, ...]


def roll_back(project: str, regions: Sequence[str], deployment: str, to: str = "") -> RolledBack:
    """Promotes the superseded endpoint of `deployment` that was made last, or the one that `to` names.

    `to` is an endpoint's id or resource name, or the hash of its config. The endpoint has kept serving, so callers
    that look for the live endpoint reach it at once; nothing is deployed. Raises InputError where no such endpoint
    serves, LockedError while a run deploys the deployment, DeploymentError for a refusal of Vertex AI.
    """
    with service_errors(f"Looking for the endpoints of {deployment}"):
        found = [each for region in dict.fromkeys(regions) for each in _superseded_in(project, region, deployment)]
    chosen = [endpoint for endpoint in found if not to or to in _names(endpoint)]
    if not chosen:
        raise InputError(
            f"no superseded endpoint of {deployment} serves{f' with the name or config {to}' if to else ''}",
            where=f"project {project}",
            fix=_fix(found),
        )
    endpoint = max(chosen, key=lambda each: each.create_time)
    _refuse_while_deploying(project, regions, deployment)
    newest = max(endpoint.deployed_models, key=lambda deployed: deployed.create_time)
    region = ResourceName.parse(endpoint.name, "endpoints").region
    owner = Owner(deployment, Marks.of(endpoint.labels).run)
    others = promote_endpoint(project, region, endpoint.name, str(_version(newest)), owner, also_in=regions)
    return RolledBack(endpoint.name, others)


def _superseded_in(project: str, region: str, deployment: str) -> list[vertex.Endpoint]:
    try:
        with service_errors(f"Looking in {region}"):
            listed = find_endpoints(endpoint_client(region), project, region, deployment)
    except RegionClosedError:  # Nothing of the project can be there.
        return []
    return [each for each in listed if each.labels.get(STAGE_LABEL) == SUPERSEDED and each.deployed_models]


def _names(endpoint: vertex.Endpoint) -> tuple[str, ...]:
    return (endpoint.name, endpoint.name.rpartition("/")[2], Marks.of(endpoint.labels).config_hash)


def _fix(found: Sequence[vertex.Endpoint]) -> str:
    if found:
        return "Superseded and serving: " + ", ".join(endpoint.name.rpartition("/")[2] for endpoint in found)
    return "Submit the earlier config again: its weights are still in the bucket, so a deployment takes minutes"


def _refuse_while_deploying(project: str, regions: Sequence[str], deployment: str) -> None:
    """Raises LockedError while a run deploys the deployment: it would promote its own endpoint afterwards."""
    from vertex_vllm.runs.engine import ENDED
    from vertex_vllm.runs.run_listing import list_runs

    for region in dict.fromkeys(regions):
        try:
            runs = list_runs(project, region, deployment)
        except RegionClosedError:
            continue
        for run in runs:
            if run.pipeline == "deploy" and run.state not in ENDED:
                raise LockedError(
                    f"run {run.id} deploys {deployment} now, and would promote its own endpoint",
                    fix=f"Wait for it, or cancel it: vertex-vllm runs cancel {run.name} --wait",
                    deployment=deployment,
                    run=run.name,
                    since=run.created.isoformat(),
                )
