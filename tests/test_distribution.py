"""A run of the tests says what it left out and what took long; no group of tests is split between processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.durations import LONG_SECONDS, is_long

ROOT = Path(__file__).resolve().parent.parent


def collect(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout


@pytest.mark.slow
def test_what_is_left_out_is_named_by_file_with_the_command_that_runs_it() -> None:
    told = collect("tests/test_dockerfile.py", "-m", "not slow")
    assert "4 tests are left to `make test-all`" in told
    assert told.splitlines()[-2].split() == ["4", "tests/test_dockerfile.py"]


def test_tests_of_vllm_come_first_in_one_group_and_all_others_by_file(request: pytest.FixtureRequest) -> None:
    groups = []
    for item in request.session.items:
        marker = item.get_closest_marker("xdist_group")
        assert marker is not None
        file = item.nodeid.partition("::")[0]
        assert marker.args == ("vLLM" if item.get_closest_marker("vllm") else file,)
        if hasattr(request.config, "workerinput"):  # xdist schedules by the group that it appends to the id
            assert item.nodeid.endswith(f"@{marker.args[0]}")
        groups.append(marker.args[0])
    assert "vLLM" not in groups[groups.count("vLLM") :]


@pytest.mark.parametrize(
    ("when", "duration", "marks", "long"),
    [
        ("call", LONG_SECONDS + 1, (), True),
        ("call", LONG_SECONDS, (), False),
        ("call", LONG_SECONDS + 1, ("slow",), False),
        ("call", LONG_SECONDS + 1, ("vllm",), False),
        ("setup", LONG_SECONDS + 1, (), False),
    ],
)
def test_a_long_test_is_one_that_takes_long_itself_and_has_no_mark(
    when: str, duration: float, marks: tuple[str, ...], long: bool
) -> None:
    report = pytest.TestReport(
        nodeid="tests/test_x.py::test_x",
        location=("tests/test_x.py", 1, "test_x"),
        keywords=dict.fromkeys(marks, 1),
        outcome="passed",
        longrepr=None,
        when=when,  # type: ignore[arg-type]
        duration=duration,
    )
    assert is_long(report) is long
