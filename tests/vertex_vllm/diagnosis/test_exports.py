"""Exports of Cloud Logging: the newest entry first, replicas in turn, as JSON, YAML or text."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from tests.vertex_vllm.diagnosis.test_samples import EXPECTED, SAMPLES
from vertex_vllm.diagnosis.sources import diagnose_stream

BEGUN = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
HEALTHY = (
    "(APIServer pid=1) INFO 11-30 12:34:01 [utils.py:299] vLLM API server version 0.26.0",
    "(APIServer pid=1) INFO:     Application startup complete.",
)

Entries = list[dict[str, Any]]


def entries(lines: list[str], replica: str = "") -> Entries:
    """An entry per line; every third has the time of the one before it."""
    return [
        {
            "insertId": f"{replica}{number}",
            "labels": {"replica_id": replica},
            "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": {"endpoint_id": "7"}},
            "severity": "ERROR",
            "textPayload": line,
            "timestamp": (BEGUN + timedelta(seconds=number - number // 3)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for number, line in enumerate(lines)
    ]


def as_list(listed: Entries) -> str:
    return json.dumps(listed, indent=2)


def by_the_line(listed: Entries) -> str:
    return "\n".join(map(json.dumps, listed)) + "\n"


def as_yaml(listed: Entries) -> str:
    return yaml.safe_dump_all(listed)


def as_text(listed: Entries) -> str:
    return "".join(f"{entry['timestamp']}\t{entry['textPayload']}\n" for entry in listed)


FORMS = (as_list, by_the_line, as_yaml, as_text)


def first_rule(text: str) -> str:
    causes = diagnose_stream(io.BytesIO(text.encode())).causes
    return causes[0].rule if causes else ""


def lines_of(name: str) -> list[str]:
    return (SAMPLES / f"{name}.log").read_text(errors="replace").splitlines()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "newest_first",
    [True, pytest.param(False, marks=pytest.mark.slow)],
    ids=["newest first", "oldest first"],
)
def test_the_order_of_an_export_changes_nothing(form: Callable[[Entries], str], newest_first: bool) -> None:
    names = [name for name in EXPECTED["causes"] if name.startswith("run_")]
    found = {name: first_rule(form(entries(lines_of(name))[:: -1 if newest_first else 1])) for name in names}
    assert found == {name: EXPECTED["causes"][name]["rule"] for name in names}


def test_a_log_of_vllm_alone_may_begin_with_its_newest_line() -> None:
    name = "load_oom_tp4_018"
    assert first_rule("\n".join(lines_of(name)[::-1])) == EXPECTED["causes"][name]["rule"]


@pytest.mark.parametrize("form", FORMS[:3])
def test_replicas_that_take_turns_are_told_apart(form: Callable[[Entries], str]) -> None:
    """The failed replica is named, although the other replica's later line says that it is ready."""
    failed, healthy = entries(lines_of("run_shape_mismatch"), "a"), entries([*HEALTHY], "b")
    for entry in healthy:
        entry["timestamp"] = "2026-11-30T13:00:00.5Z"
    turns = sorted(failed + healthy, key=lambda entry: str(entry["timestamp"]), reverse=True)
    assert first_rule(form(turns)) == "shape_mismatch"


def test_aliases_that_multiply_are_not_written_out() -> None:
    levels = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12))
    bomb = f"a0: &a0 [x]\n{levels}textPayload: *a11\ntimestamp: '2026-11-30T12:00:00Z'\n"
    assert first_rule(bomb) == ""


@pytest.mark.parametrize(
    "text",
    [
        '[{"timestamp": "2026-11-30T12:00:00Z", "textPayload": "x"',
        "textPayload: [",
        '{"textPayload": 1}',
        "- - -\n" * 99,
        f"textPayload: {'[' * 100_000}",
    ],
    ids=["cut off", "not YAML", "no time", "a list of lists", "nested too deeply"],
)
def test_an_export_that_cannot_be_read_is_read_line_by_line(text: str) -> None:
    assert first_rule(f"{text}\nValueError: No available memory for the cache blocks.\n") == "no_room_for_cache"
