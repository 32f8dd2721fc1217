"""Recognises a shell that `vertex-vllm local env` points to a local cloud, by the variables that it exports."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from vertex_vllm.cli.next_steps import command

_CONNECT_SECONDS = 2.0


def local_state_of_shell(environment: Mapping[str, str] | None = None) -> Path | None:
    """The state folder of the local cloud that this shell's Google clients are sent to; None for Google Cloud."""
    variables = os.environ if environment is None else environment
    token = variables.get("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "")
    proxy = urlsplit(variables.get("HTTPS_PROXY", ""))
    local = proxy.hostname == "127.0.0.1" and variables.get("GCE_METADATA_HOST", "").startswith("127.0.0.1:")
    # `run/access-token` below the state folder, or a folder deeper for the credential of another account.
    below_run = [parent.parent for parent in Path(token).parents if parent.name == "run"]
    return below_run[0] if local and below_run else None


def complaint_about_shell(environment: Mapping[str, str] | None = None) -> str:
    """Message and remedy where this shell still points to a local cloud that is down; empty otherwise."""
    variables = os.environ if environment is None else environment
    state = local_state_of_shell(variables)
    if state is None or _answers(variables["HTTPS_PROXY"]):
        return ""
    start = command("local", "up", "--state", state)
    return (
        f"this shell's Google clients are sent to the local cloud in {state}, which is down. "
        f'Start it: {start}; or leave it: eval "$(vertex-vllm local env --unset)"'
    )


def console_page(address: str) -> str:
    """The address of a run in Google's console; empty in a shell of a local cloud, which has no console."""
    return "" if local_state_of_shell() else address


def about_local_hub(model_id: str) -> str:
    """Remedy for a model that the local cloud's Hub lacks; empty in a shell of Google Cloud."""
    state = local_state_of_shell()
    if state is None:
        return ""
    put = command("local", "hub", model_id, "--from", "FOLDER", "--state", state)
    return f"this shell's Hub is the one of the local cloud in {state}. Put the model there: {put}"


def _answers(proxy: str) -> bool:
    address = urlsplit(proxy)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=_CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False
