"""`vertex-vllm bootstrap`"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.asked_secret import secret_value
from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.terminal import say, say_json

if TYPE_CHECKING:
    from vertex_vllm.bootstrap.required_setup import Settings
    from vertex_vllm.bootstrap.session import Session
    from vertex_vllm.bootstrap.setup_steps import Grant, Step
    from vertex_vllm.publishing.image_sources import Sources
    from vertex_vllm.publishing.release import Release

_ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--project", required=True, help="Project id.")
@click.option("--region", required=True, help="Region of buckets and repositories.")
@click.option(
    "--github-repository-id",
    default="",
    metavar="NUMBER",
    help="Repository on GitHub whose pushes to one branch may act as the CI account; see --github-owner-id.",
)
@click.option(
    "--github-owner-id",
    default="",
    metavar="NUMBER",
    help="Owner of that repository; gh api repos/OWNER/NAME --jq '.id, .owner.id' prints both.",
)
@click.option("--github-branch", default="main", show_default=True, help="Branch whose pushes act as the CI account.")
@click.option("--cloud-build", is_flag=True, help="Also an account for the builds of pull requests on Cloud Build.")
@click.option("--signing-key", default="", metavar="KEY", help="Key of Cloud KMS, made beforehand, that signs mirrors.")
@click.option("--build-region", default="", help="Region of the image's build.  [default: --region, if allowed]")
@click.option("--no-hf-token", is_flag=True, help="For public models alone: no secret.")
@click.option("--no-image", is_flag=True, help="Neither build the image of the steps nor publish the specs.")
@click.option("--dry-run", is_flag=True, help="Print every request as JSON, and change nothing.")
@click.option("--check", is_flag=True, help="List what is missing; exit code 1 if anything is.")
@click.option("--remove", "removing", is_flag=True, help="Remove what bootstrap created.")
@click.option("--delete-data", is_flag=True, help="With --remove: also buckets and repositories that hold something.")
@click.option("--yes", is_flag=True, help="Do not ask before grants are revoked, or resources are removed.")
def bootstrap(
    project: str,
    region: str,
    github_repository_id: str,
    github_owner_id: str,
    github_branch: str,
    cloud_build: bool,
    signing_key: str,
    build_region: str,
    no_hf_token: bool,
    no_image: bool,
    dry_run: bool,
    check: bool,
    removing: bool,
    delete_data: bool,
    yes: bool,
) -> None:
    """Make a project ready: APIs, buckets, accounts with the least roles, secret, repositories, image, templates.

    A second run changes nothing. Grants of an earlier version that are no longer needed are revoked, after a question.

    Example: vertex-vllm bootstrap --project my-project --region us-central1 < hf-token.txt

    The Hugging Face token comes from standard input, or is asked for without being shown.
    """
    from vertex_vllm.bootstrap.making import project_number
    from vertex_vllm.bootstrap.required_setup import Settings, removable, wanted
    from vertex_vllm.bootstrap.session import authorized_session
    from vertex_vllm.bootstrap.withdrawn_grants import existing
    from vertex_vllm.cli.place import check_place, named_regions
    from vertex_vllm.errors import InputError
    from vertex_vllm.publishing.image_sources import read_sources

    if dry_run + check + removing > 1:
        raise InputError("only one of --dry-run, --check and --remove at a time", where="bootstrap")
    if delete_data and not removing:
        raise InputError("--delete-data goes with --remove", where="bootstrap")
    check_place(project, region)
    if build_region:
        named_regions((build_region,))
    session = authorized_session()
    settings = Settings(
        project,
        project_number(session, project),
        region,
        github_repository_id,
        github_owner_id,
        github_branch,
        hub_token=not no_hf_token,
        cloud_build=cloud_build,
        signing_key=signing_key,
    )
    steps = wanted(settings)
    # Before anything is asked or made: without sources there is nothing to build from.
    sources = None if no_image or removing else read_sources(_ROOT)
    release = _release(settings, sources, build_region) if sources else None
    if dry_run:
        from vertex_vllm.cli.bootstrap_requests import request_of, requests_of_release, withdrawn_requests

        requests = [*map(request_of, steps), *withdrawn_requests(settings), *requests_of_release(release)]
        say_json(json.dumps(requests, indent=2))
    elif check:
        _check(session, settings, steps, release)
    elif removing:
        _remove(session, (*removable(settings), *existing(session, settings)), delete_data=delete_data, asked=yes)
    else:
        made = _make(session, steps)
        if release and sources:
            made += _make_release(release, sources)
        # After the new grants, so that no run in between lacks a permission.
        _told(settings, made + _revoke(session, existing(session, settings), asked=yes))


def _release(settings: "Settings", sources: "Sources", build_region: str) -> "Release":
    """The checked-out commit names the specs; in a changed working tree, the hash of the sources names them."""
    from vertex_vllm.bootstrap.required_setup import BUILD
    from vertex_vllm.cli.publish_command import checked_out
    from vertex_vllm.errors import InputError
    from vertex_vllm.project_names import TEMPLATES_REPOSITORY, runs_bucket, sources_bucket
    from vertex_vllm.publishing.building import ImageBuild
    from vertex_vllm.publishing.release import Release
    from vertex_vllm.publishing.templates import Destination
    from vertex_vllm.runs.specs import pipelines, spec_for

    commit = ""
    with suppress(InputError):
        commit = checked_out()
    project, region = settings.project, settings.region
    bucket = sources_bucket(project, region)
    build = ImageBuild(project, region, bucket, sources.digest, settings.account(BUILD), commit, build_region)
    destination = Destination(project, region, TEMPLATES_REPOSITORY, runs_bucket(project, region), commit or build.tag)
    return Release(build, destination, pipelines(), spec_for)


def _check(session: "Session", settings: "Settings", steps: tuple["Step", ...], release: "Release | None") -> None:
    from vertex_vllm.bootstrap.making import is_missing
    from vertex_vllm.bootstrap.withdrawn_grants import existing
    from vertex_vllm.publishing import release as releasing

    lines = [f"{step.kind} {step.name}" for step in steps if is_missing(session, step)]
    count = len(steps)
    if release:
        lines += releasing.missing(release)
        count += 1 + len(release.pipelines)
    for line in lines:
        say(f"missing  {line}")
    old = existing(session, settings)
    for grant in old:
        say(f"withdrawn  {grant.kind} {grant.name}")
    told = f", {len(old)} grants of an earlier bootstrap to revoke" if old else ""
    say(f"{len(lines)} of {count} missing{told}", err=True)
    if lines or old:
        sys.exit(1)


def _make(session: "Session", steps: tuple["Step", ...]) -> int:
    """Returns the number of resources that were created."""
    from vertex_vllm.bootstrap.making import make

    value = secret_value(session, steps)
    made = 0
    for step in steps:
        changed = make(session, step, value)
        made += changed
        if changed:
            say(f"made  {step.kind} {step.name}")
    return made


def _revoke(session: "Session", grants: tuple["Grant", ...], *, asked: bool) -> int:
    """Returns the number of grants that were revoked: all of them, or none without consent."""
    from vertex_vllm.bootstrap.making import revoke

    for grant in grants:
        say(f"withdrawn  {grant.kind} {grant.name}", err=True)
    if not grants or not (asked or _consent(len(grants))):
        return 0
    revoked = [grant for grant in grants if revoke(session, grant)]
    for grant in revoked:
        say(f"revoked  {grant.kind} {grant.name}")
    return len(revoked)


def _consent(count: int) -> bool:
    """Asks a person at a terminal; without a terminal, raises with the command to run."""
    if sys.stdin.isatty():
        return click.confirm(f"Revoke these {count} grants of an earlier bootstrap?", err=True)
    say("These grants stay: the same command with --yes revokes them.", err=True)
    return False


def _make_release(release: "Release", sources: "Sources") -> int:
    from vertex_vllm.publishing import release as releasing

    made = 0
    for line in releasing.make(release, sources.archive, lambda text: say(text, err=True)):
        say(f"made  {line}")
        made += 1
    return made


def _told(settings: "Settings", made: int) -> None:
    from vertex_vllm.bootstrap.required_setup import CI

    say(f"{made} changed" if made else "no change", err=True)
    if settings.github_repository_id:
        say(f"GCP_WORKLOAD_IDENTITY_PROVIDER={settings.identity_provider}", err=True)
        say(f"GCP_SERVICE_ACCOUNT={settings.account(CI)}", err=True)
    where = ("--project", settings.project)
    say_next(
        (
            "a repository of configs; MODEL is OWNER/NAME on the Hugging Face Hub",
            ("init", "my-models", "MODEL", *where, *_elsewhere(settings.region)),
        ),
        ("a config, and its plan: machine, price, context", ("plan", "configs/NAME.yaml")),
        ("deploy it", ("submit", "configs/NAME.yaml", *where, "--wait")),
        ("everything that a run needs, checked", ("doctor", *where, "--region", settings.region)),
    )


def _elsewhere(region: str) -> tuple[str, ...]:
    """`--region` and the region; empty for the commands' default."""
    return () if region == "us-central1" else ("--region", region)


def _remove(session: "Session", steps: tuple["Step", ...], *, delete_data: bool, asked: bool) -> None:
    from vertex_vllm.bootstrap.removal import ABSENT, REMOVED, outlook, remove
    from vertex_vllm.errors import InputError

    if not asked:
        for step in reversed(steps):
            outcome = outlook(session, step, delete_data=delete_data)
            if outcome != ABSENT:
                say(f"{'would remove' if outcome == REMOVED else outcome}  {step.kind} {step.name}", err=True)
        if not sys.stdin.isatty():
            raise InputError(
                "there is no terminal to ask at, so nothing was removed",
                where="bootstrap --remove",
                fix="The same command with --yes removes the above",
            )
        click.confirm("Remove them?", abort=True, err=True)
    for step in reversed(steps):
        outcome = remove(session, step, delete_data=delete_data)
        if outcome != ABSENT:
            say(f"{outcome}  {step.kind} {step.name}")
