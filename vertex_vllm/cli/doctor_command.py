"""`vertex-vllm doctor`"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import place_options
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError, RepositoryNotFoundError, ServiceError, VertexVllmError

if TYPE_CHECKING:
    from vertex_vllm.bootstrap.readiness import Need
    from vertex_vllm.config import Deployment

# A small public model: any answer about it shows that the Hub can be reached.
_PUBLIC_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@dataclass(frozen=True)
class Finding:
    """A line of the report."""

    check: str
    ok: bool
    words: str
    """Facts where all is well; else what is wrong, where, and the remedy."""


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config: Path | None, project: str | None, region: str, as_json: bool) -> None:
    """Check what a run needs: credentials, project, APIs, accounts, bucket, image, quota, access to the Hub.

    With CONFIG, for its deployment: its accounts, its secret, its model, the quota of its plan. Changes nothing. One
    line each, with its remedy; exit code 1 when something is wrong.

    Example: vertex-vllm doctor configs/llama-3.1-8b-instruct.yaml --project my-project
    """
    from vertex_vllm.config import load_deployment

    deployment = load_deployment(config) if config else None
    region = deployment.google_cloud.region if deployment else region
    found: list[Finding] = []
    for finding in _findings(deployment, project, region):
        found.append(finding)
        if not as_json:
            label, colour = ("ok", "green") if finding.ok else ("problem", "red")
            say(f"{label:<9}{finding.check:<13}{finding.words}", colour=colour)
    if as_json:
        print_json([asdict(finding) for finding in found])
    problems = [finding for finding in found if not finding.ok]
    say(f"{len(problems)} of {len(found)} checks found a problem" if problems else "ready", err=True)
    sys.exit(1 if problems else 0)


def _findings(deployment: "Deployment | None", project: str | None, region: str) -> Iterator[Finding]:
    """Stops after a failed check that all later ones depend on."""
    for name, check in (("shell", _shell), ("credentials", _credentials)):
        finding = _tried(name, check)
        yield finding
        if not finding.ok:
            return
    chosen = _tried("project", lambda: _named(deployment, project))
    if not chosen.ok:
        yield chosen
        return
    named = chosen.words
    yield _tried("project", lambda: _reachable(named))
    yield from _missing(_need(deployment, named, region))
    yield _tried("image", lambda: _image(named, region))
    yield _tried("hub", lambda: _hub(deployment, named))
    yield _tried("quota", lambda: _quota(deployment, named, region))


def _tried(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, words=check())
    except VertexVllmError as error:
        return Finding(name, ok=False, words=str(error))


def _shell() -> str:
    from vertex_vllm.cli.local_shell import complaint_about_shell, local_state_of_shell

    if complaint := complaint_about_shell():
        raise InputError(complaint)
    state = local_state_of_shell()
    return f"Google clients reach the local cloud in {state}" if state else "Google clients reach Google Cloud"


def _credentials() -> str:
    from google.auth.transport.requests import Request

    from vertex_vllm.google.error_boundary import google_errors
    from vertex_vllm.google.iam import own_member
    from vertex_vllm.google.shared_clients import default_credentials

    with google_errors("Google Cloud", "credentials"):
        default_credentials().refresh(Request())
    return own_member()


def _named(deployment: "Deployment | None", project: str | None) -> str:
    from vertex_vllm.cli.place import named_project

    return named_project(project or (deployment.google_cloud.project if deployment else None))


def _reachable(project: str) -> str:
    from vertex_vllm.bootstrap.making import project_number
    from vertex_vllm.bootstrap.session import authorized_session

    return f"{project}, number {project_number(authorized_session(), project)}"


def _need(deployment: "Deployment | None", project: str, region: str) -> "Need":
    from vertex_vllm.bootstrap.readiness import Need
    from vertex_vllm.project_names import PIPELINE_ACCOUNT, SERVING_ACCOUNT, account_email, runs_bucket

    place = deployment.google_cloud if deployment else None
    return Need(
        project=project,
        region=region,
        bucket=runs_bucket(project, region),
        pipeline_account=(place.pipeline_service_account if place else "") or account_email(PIPELINE_ACCOUNT, project),
        serving_account=(place.serving_service_account if place else "") or account_email(SERVING_ACCOUNT, project),
        secret=bool(deployment and deployment.hf_token_secret),
    )


def _missing(need: "Need") -> Iterator[Finding]:
    from vertex_vllm.bootstrap.readiness import missing
    from vertex_vllm.bootstrap.session import authorized_session

    lacking: list[VertexVllmError] = []
    try:
        lacking += missing(authorized_session(), need)
    except VertexVllmError as error:
        lacking.append(error)
    yield from (Finding("bootstrap", ok=False, words=str(error)) for error in lacking)
    if not lacking:
        yield Finding("bootstrap", ok=True, words=f"APIs, accounts and gs://{need.bucket} are ready in {need.region}")


def _image(project: str, region: str) -> str:
    from vertex_vllm.cli.sending import sources_hash
    from vertex_vllm.publishing.built import find_built

    built = find_built(project, region, sources_hash())
    return f"{built.name}{f' ({built.warning})' if built.warning else ''}"


def _hub(deployment: "Deployment | None", project: str) -> str:
    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.hub.hub_client import hub_endpoint
    from vertex_vllm.project_names import secret_version_name

    if deployment is None:
        try:
            check_access(_PUBLIC_MODEL, "", None)
        except RepositoryNotFoundError:
            return f"{hub_endpoint()} answers"
        return f"{hub_endpoint()} answers"
    secret = deployment.hf_token_secret
    token = hub_token(secret_version_name(secret, project)) if secret else None
    access = check_access(deployment.model.id, deployment.model.revision, token)
    return f"{deployment.model.id}@{access.commit} may be read{f' by {access.user}' if access.user else ''}"


def _quota(deployment: "Deployment | None", project: str, region: str) -> str:
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.cli.plan_command import model_facts
    from vertex_vllm.planning.planner import plan_serving
    from vertex_vllm.serving.quota_check import check_quotas, read_quotas

    catalog = load_catalog()
    if deployment is not None:
        facts = model_facts(deployment, catalog, False, None, project)
        verdict = check_quotas(project, plan_serving(facts, deployment, catalog))
        limit = str(verdict.limit) if verdict.limit >= 0 else "unlimited"
        return f"{verdict.quota_id} in {verdict.region}: {limit}, {verdict.used.most} in use, {verdict.need} needed"
    ids = catalog.quota_ids(region, False)
    rooms = {quota_id: room for (quota_id, _), room in read_quotas(project, region, ids).items() if room.limit}
    if not rooms:
        raise ServiceError(
            f"no quota for accelerators in {region} could be read, or all of them are 0",
            where=f"project {project}",
            fix=f"Ask for one: https://console.cloud.google.com/iam-admin/quotas?project={project}",
        )
    return ", ".join(f"{quota_id}: {room}" for quota_id, room in sorted(rooms.items()))
