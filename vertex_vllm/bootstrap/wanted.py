"""What a project has to hold so that the pipelines run, CI submits, and nobody may do more than that."""

import re
from dataclasses import dataclass, replace

from vertex_vllm.bootstrap import places
from vertex_vllm.bootstrap.resources import Grant, PolicyPlace, Step
from vertex_vllm.config.names import IMAGES_REPOSITORY, TEMPLATES_REPOSITORY, default_bucket, runs_bucket
from vertex_vllm.errors import InputError

APIS = (
    "iam",
    "cloudresourcemanager",
    "storage",
    "aiplatform",
    "secretmanager",
    "artifactregistry",
    "cloudbuild",
    "cloudquotas",
)
# What a workflow needs to log in with GitHub's token.
FEDERATION_APIS = ("sts", "iamcredentials")
SECRET = "hf-token"
PIPELINE, SERVING, CI = "vertex-vllm-pipeline", "vertex-vllm-serving", "vertex-vllm-ci"
BUILD = "vertex-vllm-build"
POOL = PROVIDER = "vertex-vllm-github"

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Settings:
    project: str
    number: str
    """The project's number: federated members are named by it."""
    region: str
    github_repository: str = ""
    """`OWNER/NAME`, whose workflows may act as the CI account; empty: nobody from outside."""
    hub_token: bool = True
    """Whether there is a secret with a Hugging Face token; public models need none."""

    def __post_init__(self) -> None:
        if self.github_repository and not _REPOSITORY.fullmatch(self.github_repository):
            raise InputError(
                f"`{self.github_repository}` is no repository on GitHub",
                where="--github-repository",
                fix="Write OWNER/NAME.",
            )

    @property
    def identity_pool(self) -> str:
        return f"projects/{self.number}/locations/global/workloadIdentityPools/{POOL}"

    @property
    def identity_provider(self) -> str:
        """What a workflow logs in with."""
        return f"{self.identity_pool}/providers/{PROVIDER}"

    def account(self, name: str) -> str:
        return f"{name}@{self.project}.iam.gserviceaccount.com"


def wanted(settings: Settings) -> tuple[Step, ...]:
    """Everything, in the order in which it can be made: each step needs only what stands before it."""
    return (*_apis(settings), *_things(settings), *_grants(settings), *_federation(settings))


def removable(settings: Settings) -> tuple[Step, ...]:
    """Everything that bootstrap may have made, whatever it was asked for then."""
    steps = wanted(replace(settings, hub_token=True))
    return steps if settings.github_repository else (*steps, places.identity_pool(settings.number, POOL))


def _apis(settings: Settings) -> tuple[Step, ...]:
    names = (*APIS, *(FEDERATION_APIS if settings.github_repository else ()))
    return tuple(places.api(settings.project, f"{name}.googleapis.com") for name in names)


def _things(settings: Settings) -> tuple[Step, ...]:
    project, region = settings.project, settings.region
    return (
        places.bucket(project, settings.number, region, default_bucket(project, region)),
        places.bucket(project, settings.number, region, runs_bucket(project, region)),
        places.service_account(project, PIPELINE, "Runs the steps of the pipelines"),
        places.service_account(project, SERVING, "Serves: reads the weights"),
        places.service_account(project, CI, "Publishes and submits pipelines"),
        places.service_account(project, BUILD, "Builds the image of the steps"),
        places.repository(project, region, IMAGES_REPOSITORY, "DOCKER"),
        places.repository(project, region, TEMPLATES_REPOSITORY, "KFP"),
        *((places.secret(project, SECRET), places.secret_value(project, SECRET)) if settings.hub_token else ()),
    )


def _grants(settings: Settings) -> tuple[Step, ...]:
    project, region = settings.project, settings.region
    weights, runs = (places.bucket_policy(name(project, region)) for name in (default_bucket, runs_bucket))
    images, templates = (
        places.repository_policy(project, region, name) for name in (IMAGES_REPOSITORY, TEMPLATES_REPOSITORY)
    )
    everything = places.project_policy(project)
    token = (places.secret_policy(project, SECRET),) if settings.hub_token else ()
    secret = tuple((place, "secretmanager.secretAccessor") for place in token)
    # `submit` pins the secret's version; it reads no value.
    secret_version = tuple((place, "secretmanager.viewer") for place in token)
    pipeline: tuple[tuple[PolicyPlace, str], ...] = (
        # Vertex AI, Cloud Quotas and the list of buckets have nothing narrower than the project.
        (everything, "aiplatform.user"),
        (everything, "cloudquotas.viewer"),
        (everything, "storage.bucketViewer"),
        # `setup_bucket` lets the serving account read, for which it writes the bucket's policy.
        (weights, "storage.admin"),
        (runs, "storage.objectUser"),
        *secret,
        (images, "artifactregistry.reader"),
        (places.account_policy(project, settings.account(SERVING)), "iam.serviceAccountUser"),
    )
    ci = (
        (everything, "aiplatform.user"),
        (runs, "storage.objectUser"),
        # aiplatform's `submit` looks at the bucket itself.
        (runs, "storage.legacyBucketReader"),
        *secret_version,
        (images, "artifactregistry.reader"),
        (templates, "artifactregistry.writer"),
        (places.account_policy(project, settings.account(PIPELINE)), "iam.serviceAccountUser"),
    )
    serving = ((weights, "storage.objectViewer"),)
    build = (
        (everything, "logging.logWriter"),
        (runs, "storage.objectViewer"),
        (images, "artifactregistry.writer"),
    )
    return tuple(
        Grant(f"serviceAccount:{settings.account(account)}", f"roles/{role}", place)
        for account, grants in ((PIPELINE, pipeline), (SERVING, serving), (CI, ci), (BUILD, build))
        for place, role in grants
    )


def _federation(settings: Settings) -> tuple[Step, ...]:
    """Workflows of exactly one repository: GitHub's issuer vouches for all of them."""
    if not settings.github_repository:
        return ()
    pool = settings.identity_pool
    member = f"principalSet://iam.googleapis.com/{pool}/attribute.repository/{settings.github_repository}"
    return (
        places.identity_pool(settings.number, POOL),
        places.github_provider(pool, PROVIDER, settings.github_repository),
        Grant(
            member,
            "roles/iam.workloadIdentityUser",
            places.account_policy(settings.project, settings.account(CI)),
        ),
    )
