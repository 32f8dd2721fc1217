"""Logs of failed starts, each with the cause that must come first; and others, of which no cause may be named falsely.

`samples/expected.yaml` says of each log what it fails of and where it comes from: provoked with real vLLM on a CPU, or
composed of words from vLLM's sources in the frame of its version.
"""

import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.diagnosis.sources import diagnose_stream

SAMPLES = Path(__file__).with_name("samples")
EXPECTED: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((SAMPLES / "expected.yaml").read_text())


def diagnosed(name: str) -> Diagnosis:
    with (SAMPLES / f"{name}.log").open("rb") as stream:
        return diagnose_stream(stream)


def test_every_sample_is_expected_and_there_are_enough() -> None:
    assert {path.stem for path in SAMPLES.glob("*.log")} == {*EXPECTED["causes"], *EXPECTED["wild"]}
    assert len(EXPECTED["causes"]) >= 60
    assert len(EXPECTED["wild"]) >= 20


@pytest.mark.parametrize("name", EXPECTED["causes"])
def test_the_cause_comes_first(name: str) -> None:
    found = diagnosed(name)
    assert [cause.rule for cause in found.causes][:1] == [EXPECTED["causes"][name]["rule"]]
    assert found.causes[0].evidence
    assert not re.search(r"{[a-z]+}", f"{found.causes[0].cause} {found.causes[0].explanation}")


@pytest.mark.parametrize(
    "frame",
    [b"%s\r", b"vllm-1  | %s", b"2026-11-30T10:00:00.123456789Z stderr F %s", b"\x1b[0;36m%s\x1b[0;0m"],
    ids=["line ends of Windows", "docker compose", "Kubernetes", "colours"],
)
def test_the_way_that_a_log_came_changes_nothing(frame: bytes) -> None:
    found = {}
    for name in EXPECTED["causes"]:
        lines = (SAMPLES / f"{name}.log").read_bytes().split(b"\n")
        causes = diagnose_stream(io.BytesIO(b"\n".join(frame % line for line in lines))).causes
        found[name] = causes[0].rule if causes else ""
    assert found == {name: row["rule"] for name, row in EXPECTED["causes"].items()}


@pytest.mark.parametrize("name", EXPECTED["wild"])
def test_no_cause_is_named_falsely(name: str) -> None:
    found, expected = diagnosed(name), EXPECTED["wild"][name]
    assert sorted(cause.rule for cause in found.causes) == sorted(expected["causes"])
    assert expected["outcome"] in ("any", found.outcome)
