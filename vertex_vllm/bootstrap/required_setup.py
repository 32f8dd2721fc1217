"""Everything that a project needs for pipelines and CI, with no permission beyond that."""

import re
from dataclasses import dataclass, replace

from vertex_vllm.bootstrap import api_requests
from vertex_vllm.bootstrap.grants import ALWAYS, CLOUD_BUILD, GITHUB, SIGNING_KEY, GrantRow, custom_roles, grant_rows
from vertex_vllm.bootstrap.grants import SECRET as SECRET_ROWS
from vertex_vllm.bootstrap.setup_steps import Grant, PolicyPlace, Step
from vertex_vllm.errors import InputError
from vertex_vllm.project_names import (
    BUILD_ACCOUNT,
    CI_ACCOUNT,
    IMAGES_REPOSITORY,
    PIPELINE_ACCOUNT,
    PLAN_ACCOUNT,
    SERVING_ACCOUNT,
    TEMPLATES_REPOSITORY,
    account_email,
    default_bucket,
    runs_bucket,
    sources_bucket,
)

APIS = (
    "iam",
    "cloudresourcemanager",
    "storage",
    "aiplatform",
    "secretmanager",
    "artifactregistry",
    "cloudbuild",
    # Artifact Analysis has the image's signed provenance; Cloud KMS the key that verifies it, and the keys of mirrors.
    "containeranalysis",
    "cloudkms",
    "cloudquotas",
    # Cloud Monitoring has the metrics that endpoints are scaled by.
    "monitoring",
    # Cloud Logging has the log of a container that failed.
    "logging",
)
# APIs that a workflow needs to log in with GitHub's token.
FEDERATION_APIS = ("sts", "iamcredentials")
SECRET = "hf-token"
PIPELINE, SERVING, CI, BUILD = PIPELINE_ACCOUNT, SERVING_ACCOUNT, CI_ACCOUNT, BUILD_ACCOUNT
PLAN = PLAN_ACCOUNT
POOL = PROVIDER = "vertex-vllm-github"

_ACCOUNTS = {
    "pipeline": PIPELINE,
    "serving": SERVING,
    "ci": CI,
    "build": BUILD,
    "plan": PLAN,
}

_NUMBER = re.compile(r"[1-9][0-9]{0,19}")
# Without quotes and backslashes: it becomes text in an expression.
_BRANCH = re.compile(r"[A-Za-z0-9._/-]{1,200}")
_KEY = re.compile(r"(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)(/cryptoKeyVersions/[0-9]+)?")
_HOW_TO_ASK = "GitHub tells both: gh api repos/OWNER/NAME --jq '.id, .owner.id'"


@dataclass(frozen=True)
class Settings:
    project: str
    number: str
    """The project's number: federated members are named by it."""
    region: str
    github_repository_id: str = ""
    """Number of the repository whose workflows may act as the CI account; empty: no federation."""
    github_owner_id: str = ""
    """Number of the user or organisation that the repository belongs to."""
    github_branch: str = "main"
    """Branch whose pushes may act as the CI account."""
    hub_token: bool = True
    """Whether there is a secret with a Hugging Face token; public models need none."""
    signing_key: str = ""
    """Key, or key version, of Cloud KMS that exists and signs mirrors; empty: mirrors are not signed."""
    cloud_build: bool = False
    """Whether Cloud Build's triggers run CI: it needs an account that writes logs, and one for pull requests."""

    def __post_init__(self) -> None:
        for option, value in (
            ("--github-repository-id", self.github_repository_id),
            ("--github-owner-id", self.github_owner_id),
        ):
            if value and not _NUMBER.fullmatch(value):
                raise InputError(f"`{value}` is not a number", where=option, fix=_HOW_TO_ASK)
        if bool(self.github_repository_id) != bool(self.github_owner_id):
            raise InputError(
                "one of the two ids is missing", where="--github-repository-id, --github-owner-id", fix=_HOW_TO_ASK
            )
        if self.signing_key and not _KEY.fullmatch(self.signing_key):
            raise InputError(
                f"`{self.signing_key}` is not the name of a key of Cloud KMS",
                where="--signing-key",
                fix="Write projects/P/locations/L/keyRings/R/cryptoKeys/K.",
            )
        if not _BRANCH.fullmatch(self.github_branch):
            raise InputError(f"`{self.github_branch}` is not the name of a branch", where="--github-branch")

    @property
    def asked(self) -> frozenset[str]:
        """Values of grants.yaml's `when` that hold."""
        asked = {
            SECRET_ROWS: self.hub_token,
            GITHUB: bool(self.github_repository_id),
            CLOUD_BUILD: self.cloud_build,
            SIGNING_KEY: bool(self.signing_key),
        }
        return frozenset({ALWAYS, *(when for when, holds in asked.items() if holds)})

    @property
    def identity_pool(self) -> str:
        return f"projects/{self.number}/locations/global/workloadIdentityPools/{POOL}"

    @property
    def identity_provider(self) -> str:
        """Resource name of the identity provider that a workflow logs in with."""
        return f"{self.identity_pool}/providers/{PROVIDER}"

    def account(self, name: str) -> str:
        return account_email(name, self.project)


def wanted(settings: Settings) -> tuple[Step, ...]:
    """All steps in the order in which they can be carried out: each needs only earlier ones."""
    return (*_apis(settings), *_things(settings), *_grants(settings), *_federation(settings))


def removable(settings: Settings) -> tuple[Step, ...]:
    """Everything that this version of bootstrap may have created, with any of its options."""
    steps = wanted(replace(settings, hub_token=True, cloud_build=True))
    return steps if settings.github_repository_id else (*steps, api_requests.identity_pool(settings.number, POOL))


def _apis(settings: Settings) -> tuple[Step, ...]:
    names = (*APIS, *(FEDERATION_APIS if settings.github_repository_id else ()))
    return tuple(api_requests.api(settings.project, f"{name}.googleapis.com") for name in names)


def _things(settings: Settings) -> tuple[Step, ...]:
    project, region = settings.project, settings.region
    return (
        # Deleted weights can be mirrored again from the Hub: they need not be kept, and billed, for another week.
        api_requests.bucket(project, settings.number, region, default_bucket(project, region), recoverable=False),
        api_requests.bucket(project, settings.number, region, runs_bucket(project, region)),
        api_requests.bucket(project, settings.number, region, sources_bucket(project, region)),
        api_requests.service_account(project, PIPELINE, "Runs the steps of the pipelines"),
        api_requests.service_account(project, SERVING, "Serves: reads the weights"),
        api_requests.service_account(project, CI, "Submits pipelines"),
        api_requests.service_account(project, BUILD, "Builds the image of the steps"),
        *((api_requests.service_account(project, PLAN, "Plans pull requests"),) if settings.cloud_build else ()),
        *(api_requests.custom_role(project, role.id, role.title, role.names) for role in custom_roles()),
        api_requests.repository(project, region, IMAGES_REPOSITORY, "DOCKER"),
        api_requests.repository(project, region, TEMPLATES_REPOSITORY, "KFP"),
        *(
            (api_requests.secret(project, SECRET), api_requests.secret_value(project, SECRET))
            if settings.hub_token
            else ()
        ),
    )


def _grants(settings: Settings) -> tuple[Step, ...]:
    """Grants of grants.yaml that these settings ask for; Vertex AI's service agent is created before its grants."""
    rows = [row for row in grant_rows() if row.when in settings.asked and row.when != GITHUB]
    grants = [grant_of(settings, row) for row in rows]
    agent = next(grant for row, grant in zip(rows, grants, strict=True) if row.account == "agent")
    return (api_requests.service_agent(settings.project, settings.number, agent), *grants)


def grants_by_row(settings: Settings) -> tuple[tuple[GrantRow, Grant], ...]:
    """Each row of grants.yaml that these settings ask for, with the grant that it means."""
    return tuple((row, grant_of(settings, row)) for row in grant_rows() if row.when in settings.asked)


def grant_of(settings: Settings, row: GrantRow) -> Grant:
    role = row.role if row.role.startswith("roles/") else f"projects/{settings.project}/roles/{row.role}"
    return Grant(_member(settings, row.account), role, _place(settings, row.resource), _condition(settings, row))


def _member(settings: Settings, account: str) -> str:
    if account == "github":
        ours = f"attribute.repository_id/{settings.github_repository_id}"
        return f"principalSet://iam.googleapis.com/{settings.identity_pool}/{ours}"
    email = api_requests.vertex_agent(settings.number) if account == "agent" else settings.account(_ACCOUNTS[account])
    return f"serviceAccount:{email}"


def _place(settings: Settings, on: str) -> PolicyPlace:
    project, region = settings.project, settings.region
    match on:
        case "project":
            return api_requests.project_policy(project)
        case "weights" | "runs" | "sources":
            return api_requests.bucket_policy(_bucket(settings, on))
        case "secret":
            return api_requests.secret_policy(project, SECRET)
        case "key":
            # A grant on a key holds for all its versions.
            return api_requests.key_policy(settings.signing_key.partition("/cryptoKeyVersions/")[0])
        case "images":
            return api_requests.repository_policy(project, region, IMAGES_REPOSITORY)
        case "templates":
            return api_requests.repository_policy(project, region, TEMPLATES_REPOSITORY)
    return api_requests.account_policy(project, settings.account(_ACCOUNTS[on]))


def _bucket(settings: Settings, on: str) -> str:
    names = {"weights": default_bucket, "runs": runs_bucket, "sources": sources_bucket}
    return names[on](settings.project, settings.region)


def _condition(settings: Settings, row: GrantRow) -> dict[str, str] | None:
    """Names of objects, as IAM conditions have them ("Resource attributes for IAM Conditions", Cloud Storage)."""
    if not row.below:
        return None
    prefix = f"projects/_/buckets/{_bucket(settings, row.resource)}/objects/{row.below}"
    return {"title": f"below {row.below}", "expression": f"resource.name.startsWith('{prefix}')"}


def _federation(settings: Settings) -> tuple[Step, ...]:
    """Workflows of exactly one repository: GitHub's issuer vouches for all of them."""
    if not settings.github_repository_id:
        return ()
    pool = settings.identity_pool
    provider = api_requests.github_provider(
        pool, PROVIDER, settings.github_repository_id, settings.github_owner_id, settings.github_branch
    )
    grants = (grant_of(settings, row) for row in grant_rows() if row.when == GITHUB)
    return (api_requests.identity_pool(settings.number, POOL), provider, *grants)
