"""Bootstrap of an empty project of the local cloud: created, checked, interrupted at any change, removed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.cloud import artifactregistry_v1, secretmanager, service_usage_v1, storage

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import Answer, vertex_vllm
from vertex_vllm.bootstrap.making import is_missing, make, project_number
from vertex_vllm.bootstrap.removal import remove
from vertex_vllm.bootstrap.required_setup import Settings, removable, wanted
from vertex_vllm.bootstrap.session import Session, authorized_session, look
from vertex_vllm.bootstrap.setup_steps import Grant, Resource, Step
from vertex_vllm.errors import InputError
from vertex_vllm.project_names import default_bucket, runs_bucket

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-central1"
TOKEN = "hf_" + "t" * 34
GITHUB = ("4711", "42")
GITHUB_OPTIONS = ("--github-repository-id", "4711", "--github-owner-id", "42")


def bootstrap(project: str, *options: str, stdin: str = TOKEN) -> Answer:
    """Runs bootstrap without the image, which has tests of its own."""
    return bootstrap_all(project, "--no-image", *options, stdin=stdin)


def bootstrap_all(project: str, *options: str, stdin: str = TOKEN) -> Answer:
    return vertex_vllm("bootstrap", "--project", project, "--region", REGION, *options, stdin=stdin)


@pytest.fixture
def session(cloud: Connection) -> Session:
    return authorized_session()


@pytest.fixture
def settings(session: Session, project: str) -> Settings:
    return Settings(project, project_number(session, project), REGION, *GITHUB)


class BreakingOff:
    """A session whose process dies right after the nth request that changes something has been answered."""

    def __init__(self, session: Session, after: int) -> None:
        self._session = session
        self._left = after

    def request(self, method: str, url: str, **options: Any) -> Any:
        answer = self._session.request(method, url, **options)
        if method != "GET" and not url.endswith(":getIamPolicy"):
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt
        return answer


class Counting:
    """A session that records its changing requests."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.changes: list[str] = []

    def request(self, method: str, url: str, **options: Any) -> Any:
        if method != "GET" and not url.endswith(":getIamPolicy"):
            self.changes.append(f"{method} {url}")
        return self._session.request(method, url, **options)


def made(session: Session, steps: tuple[Step, ...]) -> list[bool]:
    return [make(session, step, TOKEN) for step in steps]


def removed(session: Session, steps: tuple[Step, ...]) -> list[str]:
    return [remove(session, step) for step in reversed(steps)]


def test_an_empty_project_gets_everything_and_a_second_run_changes_nothing(
    session: Session, settings: Settings
) -> None:
    steps = wanted(settings)
    assert all(is_missing(session, step) for step in steps)
    assert all(made(session, steps))
    second = Counting(session)
    assert not any(made(second, steps))
    assert second.changes == []


def test_what_was_made_is_there_for_google_s_own_clients(session: Session, settings: Settings) -> None:
    made(session, wanted(settings))
    project = settings.project
    client = storage.Client(project=project)
    for name in (default_bucket(project, REGION), runs_bucket(project, REGION)):
        bucket = client.get_bucket(name)
        assert bucket.location == REGION.upper()
        assert bucket.iam_configuration.uniform_bucket_level_access_enabled
        assert bucket.iam_configuration.public_access_prevention == "enforced"
    policy = client.bucket(default_bucket(project, REGION)).get_iam_policy(requested_policy_version=3)
    assert {"serviceAccount:" + settings.account("vertex-vllm-serving")} in [
        binding["members"] for binding in policy.bindings if binding["role"] == "roles/storage.objectViewer"
    ]
    secrets = secretmanager.SecretManagerServiceClient()
    name = f"projects/{project}/secrets/hf-token"
    assert secrets.access_secret_version(name=f"{name}/versions/latest").payload.data.decode() == TOKEN
    assert [binding.role for binding in secrets.get_iam_policy(request={"resource": name}).bindings] == [
        "roles/secretmanager.secretAccessor",
        "roles/secretmanager.viewer",
    ]
    repositories = artifactregistry_v1.ArtifactRegistryClient().list_repositories(
        parent=f"projects/{project}/locations/{REGION}"
    )
    assert {repository.name.rpartition("/")[2]: repository.format_.name for repository in repositories} == {
        "vertex-vllm": "DOCKER",
        "vertex-vllm-templates": "KFP",
    }
    vertex = f"projects/{project}/services/aiplatform.googleapis.com"
    assert service_usage_v1.ServiceUsageClient().get_service(request={"name": vertex}).state.name == "ENABLED"


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_broken_off_after_any_change_the_next_run_finishes(
    session: Session, cloud: Connection, project: str, stride: int
) -> None:
    after = 0
    while True:
        after += stride
        name = f"{project}-{after}"
        steps = wanted(Settings(name, project_number(session, name), REGION, *GITHUB))
        try:
            made(BreakingOff(session, after), steps)
        except KeyboardInterrupt:
            made(session, steps)
            assert not [step.name for step in steps if is_missing(session, step)], after
            versions = look(session, next(step.look for step in steps if step.kind == "secret value"))
            assert len((versions or {})["versions"]) == 1
        else:
            break
    assert after > len(steps)


def test_removal_takes_everything_but_the_apis_also_broken_off(session: Session, settings: Settings) -> None:
    steps = wanted(settings)
    made(session, steps)
    for after in (1, 4, 9):
        with pytest.raises(KeyboardInterrupt):
            removed(BreakingOff(session, after), removable(settings))
    removed(session, removable(settings))
    assert {step.kind for step in steps if not is_missing(session, step)} == {"API"}
    # Pools keep their names for 30 days: the next bootstrap brings them back.
    made(session, steps)
    assert not any(is_missing(session, step) for step in steps)


def test_only_what_bootstrap_made_and_what_is_empty_is_removed(session: Session, settings: Settings) -> None:
    project = settings.project
    client = storage.Client(project=project)
    wanted_access = client.bucket(default_bucket(project, REGION))
    wanted_access.iam_configuration.uniform_bucket_level_access_enabled = True
    wanted_access.iam_configuration.public_access_prevention = "enforced"
    mine = client.create_bucket(wanted_access, location=REGION)
    made(session, wanted(settings))
    weights, runs, _ = (step for step in wanted(settings) if step.kind == "bucket")
    for number in range(3):
        client.bucket(runs_bucket(project, REGION)).blob(f"specs/{number} ä?.yaml").upload_from_string("x")
    assert remove(session, weights, delete_data=True) == "left: not made by bootstrap"
    assert remove(session, runs).startswith("left: holds data")
    assert remove(session, runs, delete_data=True) == "removed"
    assert remove(session, runs) == "absent"
    assert mine.exists()


def test_what_exists_otherwise_is_refused_and_not_changed(session: Session, settings: Settings) -> None:
    storage.Client(project=settings.project).create_bucket(default_bucket(settings.project, REGION), location="EU")
    with pytest.raises(InputError, match=r"exists, but with .*'EU'"):
        made(session, wanted(settings))
    lenient = f"{settings.project}-1"
    storage.Client(project=lenient).create_bucket(default_bucket(lenient, REGION), location=REGION)
    with pytest.raises(InputError, match=r"exists, but with .*iamConfiguration"):
        made(session, wanted(Settings(lenient, project_number(session, lenient), REGION)))
    elsewhere = f"{settings.project}-2"
    storage.Client(project="somebody-else").create_bucket(default_bucket(elsewhere, REGION), location=REGION)
    with pytest.raises(InputError, match=r"exists, but with .*projectNumber"):
        made(session, wanted(Settings(elsewhere, project_number(session, elsewhere), REGION)))


def test_somebody_else_s_grants_stay(session: Session, settings: Settings) -> None:
    steps = wanted(settings)
    made(session, [step for step in steps if not isinstance(step, Grant)])
    bucket = storage.Client(project=settings.project).bucket(default_bucket(settings.project, REGION))
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.admin", "members": {"user:owner@example.com"}})
    bucket.set_iam_policy(policy)
    made(session, steps)
    for step in steps:
        if isinstance(step, Grant):
            remove(session, step)
    after = bucket.get_iam_policy(requested_policy_version=3)
    assert {"user:owner@example.com"} in [entry["members"] for entry in after.bindings]


def test_the_command_makes_checks_and_removes(cloud: Connection, project: str) -> None:
    before = bootstrap(project, "--check")
    assert before.returncode == 1
    assert f"missing  bucket gs://{runs_bucket(project, REGION)}" in before.stdout.splitlines()
    first = bootstrap(project)
    assert first.returncode == 0, first.stderr
    assert "made  secret value hf-token" in first.stdout.splitlines()
    assert TOKEN not in first.stdout + first.stderr
    assert bootstrap(project, "--check").returncode == 0
    second = bootstrap(project, stdin="")
    assert (second.returncode, second.stdout) == (0, "")
    assert second.stderr.startswith("no change\n")
    declined = bootstrap(project, "--remove", stdin="n\n")
    assert declined.returncode == 2
    assert "there is no terminal to ask at, so nothing was removed" in declined.stderr
    # The resources that would be removed and that would stay, without any that does not exist.
    told = declined.stderr.splitlines()
    assert f"would remove  bucket gs://{runs_bucket(project, REGION)}" in told
    assert "left: others may need it  API iam.googleapis.com" in told
    assert "identity pool" not in declined.stderr
    assert bootstrap(project, "--check").returncode == 0
    assert bootstrap(project, "--remove", "--yes").returncode == 0
    without_apis = [line for line in before.stdout.splitlines() if not line.startswith("missing  API")]
    assert bootstrap(project, "--check").stdout.splitlines() == without_apis


@pytest.mark.parametrize("lines", [9, *(pytest.param(lines, marks=pytest.mark.slow) for lines in (1, 17, 30))])
def test_killed_the_next_run_finishes(cloud: Connection, project: str, tmp_path: Path, lines: int) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    place = ("--project", project, "--region", REGION)
    command = [sys.executable, "-m", "vertex_vllm", "bootstrap", *place, "--no-image"]
    with token.open() as stdin, subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline().startswith(b"made")
        process.kill()
    assert bootstrap(project).returncode == 0
    assert bootstrap(project, "--check").returncode == 0


def test_the_values_for_the_workflow_are_told(cloud: Connection, session: Session, project: str) -> None:
    answer = bootstrap(project, *GITHUB_OPTIONS)
    settings = Settings(project, project_number(session, project), REGION, *GITHUB)
    assert f"GCP_WORKLOAD_IDENTITY_PROVIDER={settings.identity_provider}" in answer.stderr.splitlines()
    assert f"GCP_SERVICE_ACCOUNT=vertex-vllm-ci@{project}.iam.gserviceaccount.com" in answer.stderr.splitlines()
    provider = next(step for step in wanted(settings) if step.kind == "identity provider")
    assert isinstance(provider, Resource)
    assert provider.name == settings.identity_provider


def test_without_a_token_nothing_is_begun(cloud: Connection, session: Session, project: str) -> None:
    answer = bootstrap(project, stdin="\n")
    assert answer.returncode == 2
    assert "--no-hf-token" in answer.stderr
    steps = wanted(Settings(project, project_number(session, project), REGION))
    assert all(is_missing(session, step) for step in steps)
    assert bootstrap(project, "--no-hf-token", stdin="").returncode == 0
    missing = [step for step in steps if is_missing(session, step)]
    assert {step.name if isinstance(step, Resource) else step.kind for step in missing} == {
        "hf-token",
        "secret value",
        "grant",
    }
