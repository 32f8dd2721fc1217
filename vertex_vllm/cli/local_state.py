"""The local cloud that a command uses, by its state folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.failures import told
from vertex_vllm.cli.next_steps import command
from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from localcloud.daemon import Connection

DEFAULT_STATE = Path(".local-cloud")

state_option = click.option(
    "--state",
    "state_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STATE,
    show_default=True,
    help="Folder that holds the cloud's state; it survives down and up.",
)


def writable(state_dir: Path) -> Path:
    """The folder's absolute path; creates it if missing. Raises InputError if it cannot be created or written to."""
    folder = state_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(
            f"cannot be made: {error.strerror}", where=str(state_dir), fix="Name another --state"
        ) from None
    if not os.access(folder, os.W_OK):
        raise InputError("cannot be written to", where=str(state_dir), fix="Name another --state")
    return folder


def running(state_dir: Path) -> "Connection":
    """The local cloud on that folder. Raises InputError when it is down, VertexVllmError for another user's folder."""
    from localcloud import daemon

    with told(daemon.DaemonError):
        connection = daemon.status(state_dir.resolve())
    if connection is None:
        raise InputError(
            "the local cloud is down", where=str(state_dir), fix=f"Start it: {local_command('up', state_dir)}"
        )
    return connection


def local_command(name: str, state_dir: Path) -> str:
    """`vertex-vllm local NAME` for the local cloud in that folder."""
    return command("local", name, *([] if state_dir == DEFAULT_STATE else ["--state", state_dir]))


def started(state_dir: Path) -> "Connection":
    """The local cloud on that folder, started if needed; this process's Google clients are redirected to it."""
    from localcloud import daemon
    from vertex_vllm.local import ADDITIONS

    with told(daemon.DaemonError):
        connection = daemon.status(state_dir.resolve()) or daemon.up(writable(state_dir), additions=ADDITIONS)
    os.environ.update(connection.environment)
    return connection
