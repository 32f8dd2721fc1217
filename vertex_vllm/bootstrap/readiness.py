"""Whether a project is ready for a run, checked before anything is sent, so that one line says what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vertex_vllm.bootstrap import api_requests
from vertex_vllm.bootstrap.session import DeniedError, Session, look
from vertex_vllm.bootstrap.setup_steps import Request
from vertex_vllm.errors import InputError
from vertex_vllm.google.iam import own_member

ACT_AS = "iam.serviceAccounts.actAs"
_RUN_APIS = ("aiplatform.googleapis.com", "storage.googleapis.com")
_SECRET_API = "secretmanager.googleapis.com"


@dataclass(frozen=True)
class Need:
    """Needs of a run that its project has to meet before Vertex AI may be asked for it."""

    project: str
    region: str
    bucket: str
    """Holds the artifacts of runs; without gs://."""
    pipeline_account: str
    """Email of the account that the steps run as: the caller must be allowed to act as it."""
    serving_account: str = ""
    """Email of the account that the container runs as; empty: the run deploys nothing."""
    secret: bool = False
    """Whether a step reads a secret."""


def require_ready(session: Session, need: Need) -> None:
    """Raises InputError with the first thing that is missing and the command that makes it; ServiceError.

    A check that the caller lacks the permission for is left out: the service itself then says what it refuses.
    """
    for error in missing(session, need):
        raise error


def missing(session: Session, need: Need) -> Iterator[InputError]:
    """Everything that is missing, each with the command that makes it. Raises ServiceError."""
    bootstrap = f"Run `vertex-vllm bootstrap --project {need.project} --region {need.region}`."
    number, off = _apis(session, need)
    for api in off:
        yield InputError(f"{api} is not enabled", where=f"project {need.project}", fix=bootstrap)
    if complaint := _bucket_complaint(session, need.bucket, number):
        yield InputError(complaint, where=f"gs://{need.bucket}", fix=bootstrap)
    for email in filter(None, (need.pipeline_account, need.serving_account)):
        if not _may_exist(session, need.project, email):
            own = email.partition("@")[0].startswith("vertex-vllm-")
            fix = bootstrap if own else "Create it, or leave it out of the config: bootstrap creates accounts."
            yield InputError("no such service account", where=email, fix=fix)
    if not _may_act_as(session, need.project, need.pipeline_account):
        yield InputError(
            f"{ACT_AS} is denied to {own_member()}, or there is no such account",
            where=need.pipeline_account,
            fix=f"Run `gcloud iam service-accounts add-iam-policy-binding {need.pipeline_account} "
            f"--member={own_member()} --role=roles/iam.serviceAccountUser --project={need.project}`.",
        )


def _apis(session: Session, need: Need) -> tuple[str, list[str]]:
    """The project's number, and which APIs are not enabled; nothing where the caller may not ask."""
    number = ""
    off: list[str] = []
    for api in (*_RUN_APIS, *((_SECRET_API,) if need.secret else ())):
        resource = api_requests.api(need.project, api)
        try:
            answer = look(session, resource.look)
        except DeniedError:
            return number, off
        if answer is None:
            return number, [*off, api]
        number = str(answer["parent"]).partition("/")[2]
        off += [api] if answer.get("state") != "ENABLED" else []
    return number, off


def _bucket_complaint(session: Session, bucket: str, number: str) -> str:
    """Why the runs' bucket cannot be used; empty where it can, or where the caller may not look."""
    try:
        found = look(session, api_requests.bucket_look(bucket))
    except DeniedError:
        return "the bucket is another project's, or we lack storage.buckets.get on it"
    if found is None:
        return "no such bucket"
    if number and str(found.get("projectNumber", "")) != number:
        return f"the bucket is another project's, number {found.get('projectNumber')}"
    return ""


def _may_exist(session: Session, project: str, email: str) -> bool:
    """False only where IAM says that the account does not exist; True for a caller without iam.serviceAccounts.get."""
    try:
        return look(session, api_requests.account_look(project, email)) is not None
    except DeniedError:
        return True


def _may_act_as(session: Session, project: str, email: str) -> bool:
    """By testIamPermissions, which needs no permission itself. False if the account does not exist."""
    test = Request("POST", api_requests.account_test(project, email), {"permissions": [ACT_AS]})
    granted: Iterable[str] = (look(session, test) or {}).get("permissions", ())
    return ACT_AS in granted
