"""Starts vLLM's own API server faster, and ends it with the container.

Imports take most of vLLM's start, and each of its processes repeats them. Here the imports begin
before the weights are there, and the engine's process is forked from a server that has them done already.

One line of JSON on standard input holds the server's arguments. Standard input ends when the container ends.
"""

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess

_GRACE_SECONDS = 5.0
_ENGINE_MODULES = ["die_with_parent", "vllm.v1.engine.core", "vllm.v1.worker.cpu_worker"]


class _EngineProcess(ForkServerProcess):
    """Forked from the fork server, with the variables of the process that asks for it, as `spawn` would have them."""

    def start(self) -> None:
        self._variables = dict(os.environ)
        super().start()

    def run(self) -> None:
        os.environ.update(self._variables)
        super().run()


class _EngineContext(ForkServerContext):
    Process = _EngineProcess


def _prepare_engine() -> None:
    """Starts the fork server, which imports while this process does, and has vLLM fork its engine from there.

    vLLM insists on `spawn` on a CPU because OpenMP does not survive a fork of a process that used it; the fork server
    imports and does nothing else, so that what is forked from it is as fresh as a spawned process.
    """
    multiprocessing.set_forkserver_preload(_ENGINE_MODULES)
    forkserver.ensure_running()
    get_context: Callable[[str | None], BaseContext] = multiprocessing.get_context

    def get_engine_context(method: str | None = None) -> BaseContext:
        return _EngineContext() if method == "spawn" else get_context(method)

    multiprocessing.get_context = get_engine_context  # type: ignore[assignment]


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    importlib.import_module("die_with_parent")
    _prepare_engine()
    from vllm.entrypoints.launchers.api_server import entry

    importlib.import_module("vllm.v1.engine.async_llm")
    order = sys.stdin.readline()
    if not order:
        return
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    # The name that vLLM's server prints in its usage and its errors.
    sys.argv = ["api_server.py", *json.loads(order)]
    entry.main()


if __name__ == "__main__":
    main()
