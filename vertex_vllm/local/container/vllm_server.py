"""vLLM's API server as a child of the container: its variables, its arguments, its start and its end."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from localcloud.process import process_table
from vertex_vllm.local.local_cache import cache_directory

_LAUNCHER_FOLDER = Path(__file__).with_name("launcher")
_GRACE_SECONDS = 10.0
_GROUP_SECONDS = 3.0


def server_variables(workspace: Path, inherited: Mapping[str, str], *, offline: bool) -> dict[str, str]:
    """The environment of vLLM: the container's variables, its own disk as home, and settings for a CPU.

    `offline` keeps the Hub's libraries from asking a Hub about a model in a folder.
    """
    own = {
        "HOME": str(workspace),
        # Neither the user's Hub token nor their cache: a demo model may bear the name of a real one.
        "HF_HOME": str(workspace / "huggingface"),
        "TMPDIR": str(workspace),
        "VLLM_CONFIG_ROOT": str(workspace / "vllm"),
        # vLLM looks at a model class in a process of its own, for 10 s, and remembers here what it saw.
        "VLLM_CACHE_ROOT": str(cache_directory() / "vllm"),
        "HF_HUB_OFFLINE": "1" if offline else "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # The worker inside the engine's process: one import of vLLM less. (20 s to start instead of 44 on two cores.)
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # `auto` would bind every server on this machine to the same core.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        # Instead of the container's own, from which vLLM would import the packages of this project's environment.
        "PYTHONPATH": str(_LAUNCHER_FOLDER),
        "PYTHONUNBUFFERED": "1",
    }
    defaults = {
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
    }
    return {**defaults, **inherited, **own}


def server_flags(flags: Sequence[str], socket: Path, served_name: str) -> list[str]:
    """`flags`, as `translate` gives them, and what this container adds."""
    return [
        *flags,
        f"--uds={socket}",
        *([f"--served-model-name={served_name}"] if served_name else []),
        # Compiling takes minutes on a CPU, and a deployment on the local cloud does not need it.
        "--enforce-eager",
        # For prompts with images, which vLLM takes only as chat completions: see predictions.py. The front withholds it
        # from requests unless the container's args have it.
        "--trust-request-chat-template",
        "--disable-access-log-for-endpoints=/health,/ping,/metrics",
    ]


class VllmServer:
    """A vLLM that begins its imports at `start`, and serves once it gets its arguments."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, python: Path, variables: Mapping[str, str], directory: Path) -> Self:
        """Must be awaited in the main thread: the kernel ends vLLM together with the thread that started it."""
        # -P: the current folder is not for vLLM to import from.
        process = await asyncio.create_subprocess_exec(
            str(python), "-P", "-m", "vllm_launcher", stdin=asyncio.subprocess.PIPE, env=dict(variables), cwd=directory
        )
        return cls(process)

    async def serve(self, flags: Sequence[str]) -> None:
        """Sends vLLM its arguments. If vLLM has died already, `wait` returns its exit code."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(list(flags)).encode() + b"\n")
            await self._process.stdin.drain()

    async def wait(self) -> int:
        """The exit code; for a signal, 128 plus its number, as in a shell."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def stop(self, *, serving: bool) -> None:
        """Ends vLLM and everything that it started; nothing of it runs when this returns.

        A vLLM that is not `serving` yet is killed, because it would finish its start before it ends.
        """
        if serving and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _GRACE_SECONDS)
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await _end_group()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


async def _end_group() -> None:
    """Waits for the rest of this process's group, when it is the leader of one, and at last kills it.

    vLLM's processes die with the one that started them; Python's resource tracker cleans up before it ends.
    """
    if os.getpgrp() != os.getpid():
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _GROUP_SECONDS
    while others := [pid for pid in process_table.group_members(os.getpid()) if pid != os.getpid()]:
        if loop.time() > deadline:
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.05)
