"""`vertex-vllm publish`"""

import re
import subprocess
from pathlib import Path

import click

from vertex_vllm.cli.terminal import say

_ROOT = Path(__file__).resolve().parents[2]
# Sources of a published spec, and of the image that it names.
_SOURCES = (
    *("compiled", "pipelines", "components", "vertex_vllm", "constraints", "setup.py"),
    *("pyproject.toml", "Dockerfile", ".dockerignore", "README.md", "LICENSE"),
)


@click.command()
@click.option("--project", required=True, help="Project id.")
@click.option("--region", required=True, help="Region of the registry and of the bucket.")
@click.option(
    "--image",
    required=True,
    help="Image of the steps: IMAGE@sha256:…, or IMAGE:TAG in Artifact Registry, resolved now.",
)
@click.option("--repository", help="Artifact Registry repository of format KFP.  [default: vertex-vllm-templates]")
@click.option("--tag", "tags", multiple=True, help="Tag moved to the new versions; may be repeated.")
@click.option("--commit", help="Commit of the sources; default: the checked-out one, which must have no changes.")
def publish(
    project: str, region: str, image: str, repository: str | None, tags: tuple[str, ...], commit: str | None
) -> None:
    """Put the compiled pipelines, with a pushed image for their steps, where the console lists them.

    Example: vertex-vllm publish --project my-project --region us-central1 --image IMAGE@sha256:… --tag live

    Prints for each pipeline its address in the registry of templates, by digest, and its copy in Cloud Storage.
    """
    from vertex_vllm.cli.place import check_place
    from vertex_vllm.errors import InputError
    from vertex_vllm.project_names import TEMPLATES_REPOSITORY, runs_bucket
    from vertex_vllm.publishing.image_digest import pinned
    from vertex_vllm.publishing.templates import Destination
    from vertex_vllm.publishing.templates import publish as upload
    from vertex_vllm.runs.specs import pipelines, spec_for

    check_place(project, region)
    if commit is not None and not re.fullmatch("[0-9a-f]{7,40}", commit):
        fix = "Give 7 to 40 hexadecimal digits, as `git rev-parse HEAD` prints them"
        raise InputError(f"`{commit}` is not a commit", where="--commit", fix=fix)
    destination = Destination(
        project=project,
        region=region,
        repository=repository or TEMPLATES_REPOSITORY,
        bucket=runs_bucket(project, region),
        commit=commit or checked_out(),
        tags=tags,
    )
    image = pinned(image)
    say(f"image {image}", err=True)
    for template in upload({name: spec_for(name, image) for name in pipelines()}, destination):
        say(f"{template.pipeline}\t{template.address}\t{template.uri}")


def checked_out() -> str:
    """Raises InputError where no commit matches the sources."""
    from vertex_vllm.errors import InputError

    changed = _git("status", "--porcelain", "--", *_SOURCES)
    head = _git("rev-parse", "HEAD")
    if not head or changed:
        raise InputError(
            "the sources have changes that no commit holds" if changed else "the sources are in no git repository",
            where="--commit",
            fix="Commit them, or name the commit that the specs are to be found by.",
        )
    return head


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""
