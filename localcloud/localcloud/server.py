"""The daemon's process: every server of the local cloud in one event loop, until SIGTERM or SIGINT."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from anyio import to_thread
from filelock import FileLock, Timeout

from localcloud.core.additions import Additions
from localcloud.core.cloud import Cloud, Part
from localcloud.core.ports import choose_ports
from localcloud.core.state_directory import StateDirectory
from localcloud.front import admin
from localcloud.front.ca import CertificateAuthority
from localcloud.front.chain import Chain, by_host
from localcloud.front.doors import no_other_origin, only_by_name
from localcloud.front.http_servers import HttpServers
from localcloud.front.proxy import Proxy
from localcloud.process import process_table
from localcloud.process.processes import end_orphans, watch_lifeline
from localcloud.services.registry import SERVICES

_LOG = logging.getLogger(__name__)

# Threads. A waiting handler occupies one; more would only queue for the processor.
_THREADS = 200
_GRACE_SECONDS = 2


class AlreadyRunningError(Exception):
    """Another daemon holds this state directory."""


def serve(
    state_dir: Path,
    *,
    project: str,
    region: str,
    lifeline: bool = False,
    additions: Additions | None = None,
    enforces_permissions: bool = True,
) -> None:
    """Runs the local cloud in the foreground. `lifeline`: EOF on stdin also ends it. Raises AlreadyRunningError.

    `additions`, `enforces_permissions`: as of `daemon.up`.
    """
    state = StateDirectory(state_dir)
    state.create()
    with _only_one(state):
        logging.basicConfig(
            level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        end_orphans(state.children)
        ports = choose_ports(state.last_ports)
        cloud = Cloud(
            state.root,
            project=project,
            region=region,
            ports=ports,
            additions=additions,
            enforces_permissions=enforces_permissions,
        )
        asyncio.run(_run(cloud, lifeline))


@contextlib.contextmanager
def _only_one(state: StateDirectory) -> Iterator[None]:
    """Holds the state directory's lock, which the kernel releases however this process ends."""
    try:
        held = FileLock(state.lock).acquire(blocking=False)
    except Timeout:
        raise AlreadyRunningError(f"a local cloud is running on {state.root} already") from None
    with held:
        state.ready.unlink(missing_ok=True)
        _write_atomically(state.pid, {"pid": os.getpid(), "start_time": process_table.start_time(os.getpid())})
        try:
            yield
        finally:
            for file in (state.ready, state.access_token, state.pid):
                file.unlink(missing_ok=True)
            shutil.rmtree(state.access_tokens, ignore_errors=True)


async def _run(cloud: Cloud, lifeline: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline:
        watch_lifeline(lambda: loop.call_soon_threadsafe(stop.set))
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    try:
        cloud.operations.abort_interrupted()
        await _serve(cloud, stop)
    finally:
        await asyncio.to_thread(cloud.close)


async def _serve(cloud: Cloud, stop: asyncio.Event) -> None:
    chain = Chain(cloud, SERVICES)
    grpc_server = chain.start_grpc()
    http, apps = HttpServers(cloud.clock), chain.http_apps()
    await http.start(no_other_origin(by_host(apps)), cloud.ports.api)
    await http.start(only_by_name(apps["storage"]), cloud.ports.storage, lifespan=True)
    await http.start(only_by_name(apps["hub"]), cloud.ports.hub, lifespan=True)
    await http.start(only_by_name(apps["metadata"]), cloud.ports.metadata)
    await http.start(only_by_name(admin.create_app(cloud, chain.faults)), cloud.ports.admin)
    proxy = Proxy(CertificateAuthority(cloud.state.authority), api_port=cloud.ports.api, grpc_port=cloud.ports.grpc)
    await proxy.start(cloud.ports.proxy)
    parts = [cloud.part(kind) for service in SERVICES for kind in service.parts]
    try:
        await asyncio.to_thread(_start, parts)
        _announce(cloud)
        await stop.wait()
        _LOG.info("stopping")
    finally:
        cloud.state.ready.unlink(missing_ok=True)
        await asyncio.to_thread(_stop, parts)
        # Steps that are being stopped still send calls, so the servers end after operations and children.
        await asyncio.to_thread(cloud.end_work)
        await proxy.stop()
        await http.stop()
        await asyncio.to_thread(grpc_server.stop(_GRACE_SECONDS).wait)


def _start(parts: Sequence[Part]) -> None:
    for part in parts:
        part.start()


def _stop(parts: Sequence[Part]) -> None:
    for part in reversed(parts):
        try:
            part.stop()
        except Exception:  # The other parts must stop, too.
            _LOG.exception("%s did not stop in order", type(part).__name__)


def _announce(cloud: Cloud) -> None:
    cloud.switch_user(cloud.user)
    _write_atomically(
        cloud.state.ready,
        {
            "pid": os.getpid(),
            "project": cloud.project,
            "region": cloud.region,
            "admin_url": f"http://127.0.0.1:{cloud.ports.admin}",
            "admin_key": cloud.key(),
            "environment": cloud.environment(),
        },
    )
    _LOG.info("ready: project %s, region %s, state in %s", cloud.project, cloud.region, cloud.state_dir)


def _write_atomically(file: Path, content: dict[str, object]) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content))
    unfinished.replace(file)
