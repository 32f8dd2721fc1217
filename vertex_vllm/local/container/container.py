"""The life of one container: fetches the weights, runs vLLM and the HTTP front, and ends both."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from localcloud.front.doors import only_by_name
from localcloud.process.processes import watch_lifeline
from vertex_vllm.local.container.entrypoint import Command
from vertex_vllm.local.container.fetched_weights import SCHEME, WeightsError, fetch_weights
from vertex_vllm.local.container.flag_translation import Translation, has_switch, option_value, replace_value, translate
from vertex_vllm.local.container.http_front import Front
from vertex_vllm.local.container.image_versions import vllm_version
from vertex_vllm.local.container.log import log
from vertex_vllm.local.container.vllm_server import VllmServer, server_flags, server_variables
from vertex_vllm.local.container.workspace import workspace
from vertex_vllm.local.serving_runtime import RuntimeInstallError, ensure_runtime

_POLL_SECONDS = 0.2
_LAST_ANSWERS_SECONDS = 2


@dataclass(frozen=True)
class Settings:
    command: Command
    image: str
    port: int
    ready_file: Path


def run_container(settings: Settings) -> int:
    """Serves until a stop signal, or until vLLM ends. Returns the exit code."""
    translation = translate(settings.command.flags, vllm_version(settings.image))
    for note in translation.notes:
        log(note)
    try:
        python = ensure_runtime(log)
        listener = _listen(settings.port)
    except RuntimeInstallError as error:
        log(str(error))
        return 1
    except OSError as error:
        log(f"cannot serve on port {settings.port}: {error}")
        return 1
    with listener, workspace() as directory:
        return asyncio.run(_run(settings, translation, python, directory, listener))


async def _run(
    settings: Settings, translation: Translation, python: Path, directory: Path, listener: socket.socket
) -> int:
    told_to_end = _told_to_end()
    model = option_value(translation.flags, "--model") or ""
    name = option_value(translation.flags, "--served-model-name") or model
    vllm_socket = directory / "vllm.sock"
    front = Front(
        vllm_socket,
        served_name=name,
        speaks_vertex=settings.command.speaks_vertex,
        trusts_templates=has_switch(settings.command.flags, "--trust-request-chat-template"),
    )
    offline = model.startswith(SCHEME) or Path(model).is_dir()
    vllm = await VllmServer.start(python, server_variables(directory, os.environ, offline=offline), directory)

    async def serve() -> int:
        flags = translation.flags
        try:
            if model.startswith(SCHEME):
                flags = replace_value(flags, "--model", str(await _fetch(model, directory / "model")))
        except WeightsError as error:
            log(str(error))
            return 1
        await vllm.serve(server_flags(flags, vllm_socket, name))
        await front.wait_healthy(_POLL_SECONDS)
        settings.ready_file.touch()
        log(f"serving on port {settings.port} after {time.monotonic() - started:.1f} s")
        return await _never()

    started = time.monotonic()
    async with _listening(front, listener):
        try:
            return await _first(_until(told_to_end), _exit_code(vllm), serve())
        finally:
            serving = settings.ready_file.exists()
            settings.ready_file.unlink(missing_ok=True)
            await vllm.stop(serving=serving)


async def _first(*contenders: Coroutine[None, None, int]) -> int:
    tasks = [asyncio.create_task(contender) for contender in contenders]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return next(task.result() for task in tasks if task in done)


async def _until(told_to_end: asyncio.Event) -> int:
    await told_to_end.wait()
    log("told to end")
    return 0


async def _exit_code(vllm: VllmServer) -> int:
    code = await vllm.wait()
    log(f"vLLM ended with exit code {code}")
    return code


async def _never() -> int:
    forever: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    return await forever


async def _fetch(uri: str, destination: Path) -> Path:
    # A thread of its own, because the event loop waits at its end for threads of its executor.
    downloads = ThreadPoolExecutor(1)
    return await asyncio.get_running_loop().run_in_executor(downloads, fetch_weights, uri, destination, log)


def _told_to_end() -> asyncio.Event:
    """Set by SIGTERM, SIGINT and the end of stdin."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)

    def on_lifeline_end() -> None:
        # The loop is closed if the container ends at this moment for another reason.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(event.set)

    watch_lifeline(on_lifeline_end)
    return event


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's delays off, between the parts of a stream, only of sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


class _FrontServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The container has its own handlers."""
        yield


@contextlib.asynccontextmanager
async def _listening(front: Front, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        only_by_name(front.app),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
    )
    server = _FrontServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        await front.close()
