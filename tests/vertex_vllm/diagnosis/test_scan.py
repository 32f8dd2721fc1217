"""A log of any kind is read line by line, in bounded memory, and no line of it breaks the reader."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.diagnosis.diagnosis_report import page_of, text_of
from vertex_vllm.diagnosis.log_lines import LONGEST_LINE, LogLine, parse_line
from vertex_vllm.diagnosis.sources import diagnose_lines, diagnose_stream

BLOCKS = "ValueError: No available memory for the cache blocks."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "(EngineCore_DP0 pid=27) ERROR 10-14 15:03:20 [core.py:708] ValueError: x",
            LogLine(1, "ValueError: x", "10-14 15:03:20", "EngineCore_DP0 27", "ERROR"),
        ),
        (
            "(VllmWorker rank=3 pid=142) ERROR 04-29 09:13:01 [multiproc_executor.py:379] x",
            LogLine(1, "x", "04-29 09:13:01", "VllmWorker rank=3 142", "ERROR"),
        ),
        ("[rank0]: ValueError: x", LogLine(1, "ValueError: x", process="rank0")),
        ("INFO:     Application startup complete.", LogLine(1, "Application startup complete.", level="INFO")),
        (
            "\x1b[1;36m(APIServer pid=1)\x1b[0;0m   Value error, x",
            LogLine(1, "  Value error, x", process="APIServer 1"),
        ),
        (
            "2025-10-14T15:03:20.114Z stderr F (APIServer pid=1) x",
            LogLine(1, "x", "2025-10-14T15:03:20.114Z", "APIServer 1"),
        ),
        ("textPayload: 'RuntimeError: x'", LogLine(1, "RuntimeError: x")),
        ('    "textPayload": "RuntimeError: \\"x\\"",', LogLine(1, 'RuntimeError: "x"')),
        (
            '{"insertId":"1","textPayload":"(APIServer pid=1) ValueError: x","timestamp":"2026-01-01T00:00:00Z"}',
            LogLine(1, "ValueError: x", process="APIServer 1"),
        ),
        ("vllm-1  | Killed", LogLine(1, "Killed")),
    ],
)
def test_a_line_is_read_without_its_frame(text: str, line: LogLine) -> None:
    assert parse_line(text, 1) == line


@given(st.text())
def test_no_line_is_too_long_or_steers_a_terminal(text: str) -> None:
    line = parse_line(text, 1)
    assert len(line.message) <= LONGEST_LINE
    assert "\x1b" not in line.message


@given(st.binary(max_size=2000))
def test_any_bytes_are_diagnosed(data: bytes) -> None:
    text_of(diagnose_stream(io.BytesIO(data)))


@given(st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_it_does_not_matter_where_a_read_ends(cuts: list[int]) -> None:
    from vertex_vllm.diagnosis.ranking import diagnose
    from vertex_vllm.diagnosis.rules import load_rules
    from vertex_vllm.diagnosis.scan import Scanner

    data = f"INFO a\r50%\r100%\n{'x' * 300}\n[rank0]: {BLOCKS}\nError\n".encode()
    scanner, begin = Scanner(load_rules()), 0
    for cut in (*cuts, len(data)):
        scanner.feed(data[begin : begin + cut])
        begin += cut
    scanner.feed(data[begin:])
    assert diagnose(scanner.finish()).causes[0].evidence == (LogLine(3, BLOCKS, process="rank0"),)


def test_the_cause_at_the_end_of_a_flood_is_found() -> None:
    flood = [f"ERROR 10-14 15:03:20 [a.py:1] Error {number}" for number in range(10_000)]
    found = diagnose_lines([*flood, BLOCKS])
    assert [(cause.rule, cause.evidence[0].number) for cause in found.causes] == [("no_room_for_cache", 10_001)]


def test_a_line_without_an_end_is_cut() -> None:
    found = diagnose_stream(io.BytesIO(b"x" * 3_000_000 + BLOCKS.encode() + b"\n" + BLOCKS.encode()))
    assert [(cause.rule, cause.evidence[0].number) for cause in found.causes] == [("no_room_for_cache", 2)]


def test_a_secret_of_a_log_is_not_shown_and_its_markup_is_escaped() -> None:
    token = "hf_" + "a" * 34
    found = diagnose_lines([f"ValueError: <script>{token}</script>", f"error: unrecognized arguments: --token={token}"])
    for shown in (text_of(found), page_of(found, "x")):
        assert token not in shown
    assert "<script>" not in page_of(found, "x")
    assert token not in found.summary


def test_a_crash_loop_is_counted_and_its_last_start_judged() -> None:
    start = ["INFO 04-29 09:12:09 [api_server.py:1043] vLLM API server version 0.8.5", *["INFO x"] * 20]
    found = diagnose_lines([*start, "[rank0]: RuntimeError: first", *start, BLOCKS])
    assert (found.starts, [cause.rule for cause in found.causes]) == (2, ["no_room_for_cache"])
