"""Messages of failures in logs of several versions of vLLM: the cause comes first, whichever process logs it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from vertex_vllm.diagnosis.sources import diagnose_stream

Rows = list[dict[str, Any]]


def rows(name: str) -> Rows:
    read: Rows = yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    return read


ROWS, WILD = rows("wordings.yaml"), rows("wild_wordings.yaml")
_FILES = "/usr/local/lib/python3.12/dist-packages/vllm/v1"


def traceback(row: dict[str, Any]) -> list[str]:
    frames = [f'  File "{_FILES}/x.py", line 7, in {name}\n    self.{name}()' for name in row.get("frames", ())]
    return ["Traceback (most recent call last):", *"\n".join(frames).split("\n"), *row["said"]]


def of_the_server(row: dict[str, Any], version: str, prefix: str) -> list[str]:
    return [
        f"{prefix}INFO 10-14 15:03:01 [api_server.py:1839] vLLM API server version {version}",
        f"{prefix}INFO 10-14 15:03:01 [utils.py:233] non-default args: {{'model': '/tmp/x'}}",
        *(f"{prefix}{line}" for line in traceback(row)),
    ]


def ending(prefix: str) -> list[str]:
    wrapper = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
    return [f"{prefix}{line}" for line in ("Traceback (most recent call last):", wrapper)]


def in_0_8(row: dict[str, Any]) -> list[str]:
    """Lines without a process's name: those of the logger, then the process's own traceback."""
    logged = ["EngineCore hit an exception: Traceback (most recent call last):", *traceback(row)[1:]]
    error = "ERROR 04-29 09:12:33 [core.py:396] "
    return [
        "INFO 04-29 09:12:01 [api_server.py:1043] vLLM API server version 0.8.5",
        *(f"{error}{line}" for line in logged),
        "Process EngineCore_0:",
        *traceback(row),
        *ending(""),
    ]


def in_0_11(row: dict[str, Any]) -> list[str]:
    """Each line begins with its process's name."""
    engine = "(EngineCore_DP0 pid=27) "
    error = f"{engine}ERROR 10-14 15:03:20 [core.py:708] "
    return [
        "(APIServer pid=1) INFO 10-14 15:03:01 [api_server.py:1839] vLLM API server version 0.11.0",
        *(f"{error}{line}" for line in ("EngineCore failed to start.", *traceback(row))),
        *(f"{engine}{line}" for line in ("Process EngineCore_DP0:", *traceback(row))),
        "[rank0]:[W1014 15:03:21.114 ProcessGroupNCCL.cpp:1538] Warning: destroy_process_group() was not called",
        *ending("(APIServer pid=1) "),
    ]


def in_0_26(row: dict[str, Any]) -> list[str]:
    """Two workers write alternate lines; the engine that waits for them fails after them."""
    workers = [
        f"(Worker_TP{rank} pid={150 + rank}) ERROR 11-30 12:35:20 [multiproc_executor.py:870] " for rank in (0, 1)
    ]
    said = ["WorkerProc failed to start.", *traceback(row)]
    waiting = "Exception: WorkerProc initialization failed due to an exception in a background process."
    engine = "(EngineCore pid=90) ERROR 11-30 12:35:22 [core.py:1100] "
    return [
        "(APIServer pid=1) INFO 11-30 12:34:01 [utils.py:299] vLLM API server version 0.26.0",
        *(f"{worker}{line}" for line in said for worker in workers),
        *(f"{engine}{line}" for line in ("EngineCore failed to start.", "Traceback (most recent call last):", waiting)),
        *ending("(APIServer pid=1) "),
    ]


def server_0_8(row: dict[str, Any]) -> list[str]:
    return of_the_server(row, "0.8.5", "")


def server_0_26(row: dict[str, Any]) -> list[str]:
    return of_the_server(row, "0.26.0", "(APIServer pid=1) ")


def as_it_is(row: dict[str, Any]) -> list[str]:
    return list(row["said"])


Frame = Callable[[dict[str, Any]], list[str]]
LOGS: dict[str, tuple[Frame, ...]] = {
    "engine": (in_0_8, in_0_11),
    "worker": (in_0_26,),
    "server": (server_0_8, server_0_26),
    "plain": (as_it_is,),
}


def entries(lines: list[str]) -> list[str]:
    """Cloud Logging's entries, a JSON object per line; lines with the same beginning are one entry."""
    texts = ["\n".join(lines[first : first + 3]) for first in range(0, len(lines), 3)]
    return [json.dumps({"insertId": "1", "severity": "ERROR", "textPayload": text, "resource": {}}) for text in texts]


def pretty_entries(lines: list[str]) -> list[str]:
    """As `gcloud logging read --format=json` prints them."""
    listed = [{"insertId": "1", "jsonPayload": {"levelname": "ERROR", "message": line}} for line in lines]
    return json.dumps(listed, indent=2).split("\n")


def journal(lines: list[str]) -> list[str]:
    return [f"Aug 19 18:34:27 vm-1 vllm[8727]: {line}" for line in lines]


def ray(lines: list[str]) -> list[str]:
    return [f"(ServeReplica:llm, pid=2150) {line}" for line in lines]


def other_logger(lines: list[str]) -> list[str]:
    """A program that starts vLLM and logs its output."""
    return [f"2026-06-27 12:57:51,690 - __main__ - INFO - {line}" for line in lines]


def loguru(lines: list[str]) -> list[str]:
    return [f"2026-06-27 12:57:51.690 | INFO     | worker:stream:112 - {line}" for line in lines]


def quoted(lines: list[str]) -> list[str]:
    return [f"> {line}" for line in lines]


def labelled(lines: list[str]) -> list[str]:
    """As `srun --label` does."""
    return [f"0: {line}" for line in lines]


def cut_at_the_end(lines: list[str]) -> list[str]:
    """The log without the error of the waiting process."""
    return lines[:-2] if "Engine core initialization failed" in lines[-1] and len(lines) > 3 else lines


def coloured(lines: list[str]) -> list[str]:
    return [f"\x1b[1;36m{line[:20]}\x1b[0;0m{line[20:]}" for line in lines]


def pasted_colours(lines: list[str]) -> list[str]:
    """As in a report: the escape character is lost, or was replaced."""
    return [f"{('', '^[', chr(0xFFFD))[number % 3]}[1;36m{line}[0;0m" for number, line in enumerate(lines)]


def logs_explorer(lines: list[str]) -> list[str]:
    """Copied from the Logs Explorer: every line of standard error has the severity ERROR."""
    time = "2025-03-30T23:51:21.303592681Z"
    return [f"ERROR {time} [resource.labels.containerName: vllm] {line}" for line in lines]


def with_timestamps(lines: list[str]) -> list[str]:
    """As `kubectl logs --timestamps` does."""
    return [f"2025-03-30T23:51:21.303592681Z {line}" for line in lines]


WAYS = (
    list,
    entries,
    pretty_entries,
    journal,
    ray,
    other_logger,
    loguru,
    quoted,
    labelled,
    cut_at_the_end,
    coloured,
    pasted_colours,
    logs_explorer,
    with_timestamps,
)


def first_causes(given: Rows, way: Callable[[list[str]], list[str]]) -> list[tuple[int, str, str]]:
    """Number of the row, name of the frame, rule of the first cause; empty: no cause is named."""
    found = []
    for number, row in enumerate(given):
        for frame in LOGS[row["where"]]:
            causes = diagnose_stream(io.BytesIO("\n".join(way(frame(row))).encode() + b"\n")).causes
            found.append((number, frame.__name__, causes[0].rule if causes else ""))
    return found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "as written" if way is list else way.__name__)
def test_the_cause_comes_first(way: Callable[[list[str]], list[str]]) -> None:
    wrong = [(*each, ROWS[each[0]]["rule"]) for each in first_causes(ROWS, way) if each[2] != ROWS[each[0]]["rule"]]
    assert wrong == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "as written" if way is list else way.__name__)
def test_no_cause_is_named_falsely(way: Callable[[list[str]], list[str]]) -> None:
    assert [each for each in first_causes(WILD, way) if each[2]] == []
