"""Makes a config's submission ready to be sent: puts in the steps' image, and checks the project."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.terminal import fact, say

if TYPE_CHECKING:
    from vertex_vllm.bootstrap.readiness import Need
    from vertex_vllm.runs.submission import Submission

_ROOT = Path(__file__).resolve().parents[2]


def image_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --image."""
    text = "Image of the steps, IMAGE@sha256:DIGEST.  [default: the one that bootstrap built in the project]"
    return click.option("--image", default="", metavar="IMAGE", help=text)(command)


def with_image(sent: "Submission", given: str = "") -> "Submission":
    """The submission with the image that its steps run in: the given one, or the one that bootstrap built.

    A spec that names a pinned image already keeps it, unless another one is given. Raises InputError for an image that
    is not pinned by digest, and where bootstrap has built none; ServiceError.
    """
    from vertex_vllm.errors import InputError
    from vertex_vllm.publishing.built import find_built
    from vertex_vllm.runs.specs import images_of, is_pinned, is_unresolvable

    if given:
        if not is_pinned(given):
            raise InputError(
                f"`{given}` is not pinned by digest", where="--image", fix="Write IMAGE@sha256:DIGEST, all of it."
            )
        return replace(sent, image=given)
    if not any(map(is_unresolvable, images_of(sent.spec.read_text(encoding="utf-8")))):
        return sent
    built = find_built(sent.project, sent.region, sources_hash())
    if built.warning:
        say(built.warning, err=True)
    return replace(sent, image=built.name)


def evaluation_text(sent: "Submission") -> str:
    """The run's suite and the drop that it can detect. Raises InputError and ConfigError for a missing suite."""
    from vertex_vllm.evaluation.comparison import Terms
    from vertex_vllm.evaluation.evaluated_run import Order
    from vertex_vllm.evaluation.planned import stated

    given = sent.parameters
    terms = Terms(given["allowed_regression"], given["allowed_changed_answers"], given["confidence"])
    order = Order(given["suite"], given["suite_items"], tuple(given["suite_levels"]), given["baseline"], terms=terms)
    return fact("Evaluation:", stated(order, sent.project))


def with_suite(sent: "Submission") -> "Submission":
    """The submission with a suite that the run can read: a YAML file of the repository is copied to the runs' bucket.

    Raises InputError and ConfigError for a faulty suite, ServiceError where the bucket takes no object.
    """
    from vertex_vllm.evaluation.suites.suite_files import load_suite
    from vertex_vllm.evaluation.suites.suite_objects import put_suite

    named = str(sent.parameters.get("suite", ""))
    if not _in_repository(named):
        return sent
    bucket = sent.pipeline_root.removeprefix("gs://").partition("/")[0]
    address = put_suite(load_suite(named), sent.project, bucket)
    return replace(sent, parameters={**sent.parameters, "suite": address})


def require_shared_suite(sent: "Submission") -> "Submission":
    """Returns `sent`. A suite that is a file of the repository is refused: schedules and CI do not copy it.

    Raises InputError that says where to put the suite.
    """
    from vertex_vllm.errors import InputError

    named = str(sent.parameters.get("suite", ""))
    if _in_repository(named):
        fix = "Copy its folder to gs://, and name the YAML file there: only `submit` copies it for a run."
        raise InputError(f"a run of a schedule or of CI cannot read {named}", where="evaluation.suite", fix=fix)
    return sent


def _in_repository(suite: str) -> bool:
    return suite.endswith((".yaml", ".yml")) and not suite.startswith("gs://")


def require_ready(*sent: "Submission") -> None:
    """Raises InputError with what a project lacks for one of these, and the command that makes it; ServiceError."""
    from vertex_vllm.bootstrap import readiness
    from vertex_vllm.bootstrap.session import authorized_session

    if not sent:
        return
    session = authorized_session()
    for need in dict.fromkeys(map(_need, sent)):
        readiness.require_ready(session, need)


def _need(sent: "Submission") -> "Need":
    from vertex_vllm.bootstrap.readiness import Need

    return Need(
        project=sent.project,
        region=sent.region,
        bucket=sent.pipeline_root.removeprefix("gs://").partition("/")[0],
        pipeline_account=sent.service_account,
        serving_account=str(sent.parameters.get("serving_service_account", "")),
        secret=bool(sent.parameters.get("hf_token_secret")),
    )


@cache
def sources_hash() -> str:
    """Hash of the checkout's sources, read once per process; empty in an installed wheel."""
    from vertex_vllm.errors import InputError
    from vertex_vllm.publishing.image_sources import read_sources

    try:
        return read_sources(_ROOT).digest
    except InputError:
        return ""
