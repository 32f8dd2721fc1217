"""A step polls whether its run was cancelled, because the signal may not reach it."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vertex_vllm.errors import InputError
from vertex_vllm.google.shared_clients import default_credentials
from vertex_vllm.vertex_ai.resource_names import ResourceName

ASK_SECONDS = 10.0
"""Seconds between two polls: a cancelled deploy is billed for at most that long before its step notices."""
_CALL_SECONDS = 10.0
_CANCELLED = frozenset({"PIPELINE_STATE_CANCELLING", "PIPELINE_STATE_CANCELLED"})
# Without permission, or outside of Vertex AI, every poll has the same answer.
_LASTING = frozenset({400, 401, 403, 404})

log = logging.getLogger(__name__)


@contextmanager
def stopped_with(run: str) -> Iterator[None]:
    """While the body runs, sends SIGTERM to this process as soon as the pipeline job `run` is being cancelled.

    `run`: resource name; a name of another form, as Kubeflow Pipelines has it, is not asked about.
    """
    try:
        name = ResourceName.parse(run, "pipelineJobs")
    except InputError:
        yield
        return
    ended = threading.Event()
    url = f"https://{name.host}/v1/{name}"
    thread = threading.Thread(target=_ask, args=(url, ended), name="cancellation", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _ask(url: str, ended: threading.Event) -> None:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException

    session = None
    while not ended.wait(ASK_SECONDS):
        try:
            if session is None:
                session = AuthorizedSession(default_credentials())
            answer = session.get(url, timeout=_CALL_SECONDS)
        except (GoogleAuthError, RequestException) as error:
            log.info("Could not ask whether the run was cancelled, will ask again: %s", error)
            continue
        if answer.status_code in _LASTING:
            log.info("Whether the run was cancelled cannot be asked: %s", answer.status_code)
            return
        if answer.ok and answer.json().get("state") in _CANCELLED and not ended.is_set():
            log.warning("The run was cancelled")
            os.kill(os.getpid(), signal.SIGTERM)
            return
