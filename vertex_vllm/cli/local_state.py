"""Which local cloud a command is about."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.failures import told
from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from localcloud.daemon import Connection

state_option = click.option(
    "--state",
    "state_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".local-cloud"),
    show_default=True,
    help="Folder that holds the cloud's state; it survives down and up.",
)


def running(state_dir: Path) -> "Connection":
    """The local cloud on that folder. Raises InputError when it is down."""
    from localcloud import daemon

    connection = daemon.status(state_dir.resolve())
    if connection is None:
        raise InputError("the local cloud is down", where=str(state_dir), fix="Start it: vertex-vllm local up")
    return connection


def started(state_dir: Path) -> "Connection":
    """The local cloud on that folder, started where it is down, and this process's Google clients brought there."""
    from localcloud import daemon

    with told(daemon.DaemonError):
        connection = daemon.status(state_dir.resolve()) or daemon.up(state_dir.resolve())
    os.environ.update(connection.environment)
    return connection
