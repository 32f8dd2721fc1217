"""The end of a run: deletes what the run did not keep, and releases the deployment's lock."""

import logging
from collections.abc import Sequence

from vertex_vllm.errors import ServiceError
from vertex_vllm.lifecycle.lock import release
from vertex_vllm.lifecycle.teardown import teardown

log = logging.getLogger(__name__)


def end_run(
    project: str,
    region: str,
    bucket: str,
    deployment: str,
    run_id: str,
    *,
    stays: bool,
    also_in: Sequence[str] = (),
) -> None:
    """Deletes what the run created unless it `stays`; releases the run's lock in any case.

    `also_in` names other regions that fallbacks may have taken it to. Raises TeardownError as `teardown` does. A lock
    that cannot be released is not a failure: the next run takes it from a run that has ended.
    """
    try:
        if stays:
            log.info("The run succeeded: its endpoint stays")
        else:
            teardown(project, region, deployment, run_id, also_in=also_in)
    finally:
        try:
            release(project, bucket, deployment, run_id)
        except ServiceError as error:
            log.warning("The lock of %s was not released: %s", deployment, error)
