"""The daemon's process: every server of the local cloud in one event loop, until SIGTERM or SIGINT."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from anyio import to_thread
from starlette.types import ASGIApp

from localcloud.core.additions import Additions
from localcloud.core.cloud import Cloud
from localcloud.core.ports import choose_ports, listen
from localcloud.core.state_directory import StateDirectory
from localcloud.faults import Faults
from localcloud.faults.grpc_faults import FaultInterceptor
from localcloud.faults.http_faults import FaultyApp, hub_service
from localcloud.front import admin
from localcloud.front.ca import CertificateAuthority
from localcloud.front.chain import Services
from localcloud.front.doors import no_other_origin, only_by_name
from localcloud.front.grpc_server import start_grpc_server
from localcloud.front.http_connections import ConnectionProtocol
from localcloud.front.proxy import Proxy
from localcloud.process import process_table
from localcloud.process.processes import end_orphans, watch_lifeline
from localcloud.services import hub, storage
from localcloud.services.identity import metadata_server
from localcloud.services.storage.cloud_access import CloudAccess

_LOG = logging.getLogger(__name__)

# A handler that waits holds one; more would only queue for the processor.
_THREADS = 200
# Clients keep connections for minutes; closing an idle one just when it is used again would fail their call.
_KEEP_ALIVE_SECONDS = 3600
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
    """Runs the local cloud in the foreground. `lifeline`: EOF on stdin ends it, too. Raises AlreadyRunningError.

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
    """Holds the state directory's lock, which the kernel frees however this process ends."""
    with state.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"a local cloud is running on {state.root} already") from None
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
    services = Services(cloud)
    faults = Faults(services.rpcs())
    storage_app = FaultyApp(
        storage.create_app(
            cloud.state.storage,
            project_number=cloud.project_number,
            clock=cloud.clock,
            ids=cloud.ids,
            access=CloudAccess(cloud),
        ),
        faults,
        "storage",
    )
    hub_app = FaultyApp(hub.create_app(cloud.state.hub, cloud.clock), faults, hub_service)
    grpc_server = start_grpc_server(
        services.contract, services.dispatcher, cloud.check_token, cloud.ports.grpc, [FaultInterceptor(faults)]
    )
    http = HttpServers()
    api_app = services.http_app(storage=storage_app, hub=hub_app, faults=faults)
    await http.start(no_other_origin(api_app), cloud.ports.api)
    await http.start(only_by_name(storage_app), cloud.ports.storage, lifespan=True)
    await http.start(only_by_name(hub_app), cloud.ports.hub, lifespan=True)
    metadata_app = FaultyApp(metadata_server.create_app(cloud), faults, "metadata")
    await http.start(only_by_name(metadata_app), cloud.ports.metadata)
    await http.start(only_by_name(admin.create_app(cloud, faults)), cloud.ports.admin)
    proxy = Proxy(CertificateAuthority(cloud.state.authority), api_port=cloud.ports.api, grpc_port=cloud.ports.grpc)
    await proxy.start(cloud.ports.proxy)
    try:
        await asyncio.to_thread(services.start)
        _announce(cloud)
        await stop.wait()
        _LOG.info("stopping")
    finally:
        cloud.state.ready.unlink(missing_ok=True)
        await asyncio.to_thread(services.stop)
        # Steps that are being stopped still call: the servers end after operations and children.
        await asyncio.to_thread(cloud.end_work)
        await proxy.stop()
        await http.stop()
        await asyncio.to_thread(grpc_server.stop(_GRACE_SECONDS).wait)


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


class _Server(uvicorn.Server):
    """One of several in this process: signals are the daemon's own affair."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServers:
    """HTTP/1.1 servers in the running event loop."""

    def __init__(self) -> None:
        self._running: list[tuple[_Server, asyncio.Task[None]]] = []

    async def start(self, app: ASGIApp, port: int, *, lifespan: bool = False) -> None:
        """Serves `app` on 127.0.0.1:`port`. `lifespan`: the app is told that it starts and ends."""
        config = uvicorn.Config(
            app,
            http=ConnectionProtocol,
            log_level="warning",
            access_log=False,
            lifespan="on" if lifespan else "off",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            server_header=False,
            ws="none",
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listen(port)]))
        self._running.append((server, task))
        while not server.started:
            if task.done():
                await task
                raise RuntimeError(f"the server on port {port} ended while it started")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for server, _ in self._running:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._running))
