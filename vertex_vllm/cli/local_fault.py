"""`vertex-vllm local fault add|list|clear`"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from vertex_vllm.cli.failures import told
from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.local_state import running, state_option
from vertex_vllm.cli.table import text_table
from vertex_vllm.cli.terminal import columns, say
from vertex_vllm.errors import InputError

_COUNTED = ("id", "kind", "met", "struck", "striking")
# Fields of a fault (docs/local-cloud.md) by what is read there; the local cloud knows which go together.
_TEXTS = {
    "service": "Service: storage, hub, content-network, vertex, secret-manager, metadata, …",
    "host": "Pattern of the host.",
    "rpc": "Pattern of a method's name, over gRPC and REST: DeployModel.",
    "method": "HTTP method.",
    "path": "Pattern of the path; * matches slashes, too.",
    "code": "error, operation_error: name of google.rpc.Code.",
    "known": "error, operation_error: stockout or quota_exceeded.",
    "message": "error, operation_error: the message.",
    "content_range": "wrong_content_range: value of the header.",
    "when": "crash: before or after the call is executed.",
}
_WHOLE_NUMBERS = {
    "nth": "Number of the first matching call that it strikes, from 1.",
    "times": "How many calls it strikes.",
    "seed": "Seed of the probability.",
    "status": "error: HTTP status.",
    "retry_after_seconds": "error: seconds until the client may try again.",
    "after_bytes": "truncate, stall: bytes of the body that are sent.",
    "offset": "flip_byte, flip_sent_byte: index of the byte in the body.",
    "bytes_per_second": "slow_body: bytes sent per second.",
}
_NUMBERS = {
    "probability": "Strikes each call with this probability.",
    "latency_seconds": "Seconds to wait before anything else happens.",
    "seconds": "stall: seconds; default: until the client disconnects.",
    "after_seconds": "operation_error: seconds that the operation runs.",
}
_NAMED = {
    "query": "NAME=PATTERN of a query parameter; may be repeated.",
    "headers": "NAME=PATTERN of a request header; may be repeated.",
    "answer_headers": "error: NAME=VALUE of an answer's header; may be repeated.",
}


@click.group(cls=Group)
def fault() -> None:
    """Let the local cloud fail on request: choose the calls, and what happens to them.

    Example: vertex-vllm local fault add error --service storage --method PUT --status 503 --times 2
    """


def _field_options(command: Callable[..., None]) -> Callable[..., None]:
    tables: tuple[tuple[dict[str, str], Any], ...] = ((_TEXTS, str), (_WHOLE_NUMBERS, int), (_NUMBERS, float))
    options = [
        *(click.option(_flag(name), name, multiple=True, help=meaning) for name, meaning in _NAMED.items()),
        *(
            click.option(_flag(name), name, type=kind, help=meaning)
            for table, kind in tables
            for name, meaning in table.items()
        ),
        click.option("--always", is_flag=True, help="Strikes every call from then on."),
        click.option("--ignores-cancel", is_flag=True, help="operation_never_ends: not even when it is cancelled."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _flag(field: str) -> str:
    return f"--{field.removesuffix('s') if field.endswith('headers') else field}".replace("_", "-")


@fault.command()
@click.argument("kind")
@state_option
@_field_options
def add(kind: str, state_dir: Path, always: bool, ignores_cancel: bool, **fields: Any) -> None:
    """Post a fault of a kind: error, latency, reset, lost_answer, not_found_yet, truncate, stall, flip_byte,
    flip_sent_byte, wrong_content_range, slow_body, operation_error, operation_never_ends, crash.

    It strikes the next matching call, once, unless --nth, --times, --always or --probability say otherwise.

    Example: vertex-vllm local fault add operation_error --rpc DeployModel --known stockout
    """
    from localcloud import daemon

    given = {name: value for name, value in fields.items() if value not in (None, ())}
    given |= {name: _pairs(name, given[name]) for name in _NAMED if name in given}
    given |= {"ignores_cancel": True} if ignores_cancel else {}
    given |= {"times": None} if always else {}
    with told(daemon.DaemonError):
        connection = running(state_dir)
        try:
            number = connection.add_fault(kind=kind, **given)
        except daemon.RefusedError as refused:
            fix = "See docs/local-cloud.md for the kinds and their fields"
            raise InputError(refused.reason, where=f"fault {kind}", fix=fix) from refused
    say(f"Posted: fault {number}")


@fault.command("list")
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(state_dir: Path, as_json: bool) -> None:
    """Show the posted faults, used-up ones too, and how many calls each matched, struck, and is striking.

    Example: vertex-vllm local fault list
    """
    from localcloud import daemon

    with told(daemon.DaemonError):
        faults = running(state_dir).faults()
    if as_json:
        print_json(faults)
        return
    if not faults:
        say("no faults", err=True)
        return
    rows = [(*(str(fault[name]) for name in _COUNTED), _described(fault)) for fault in faults]
    say(text_table((*_COUNTED, "fields"), rows, columns()), nl=False)


@fault.command()
@state_option
def clear(state_dir: Path) -> None:
    """Remove all faults. A fault that has already struck keeps its effect.

    Example: vertex-vllm local fault clear
    """
    from localcloud import daemon

    with told(daemon.DaemonError):
        running(state_dir).clear_faults()
    say("All faults are removed")


def _described(fault: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fault.items() if name not in _COUNTED)


def _pairs(field: str, texts: Sequence[str]) -> dict[str, str]:
    """Raises InputError for a text without `=`."""
    pairs = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not name or not separator:
            raise InputError(f"{text!r} is not NAME=VALUE", where=_flag(field))
        pairs[name] = value
    return pairs
