"""Lists at the width of a terminal."""

import pytest

from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.table import side_by_side, text_table
from vertex_vllm.cli.terminal import columns, fact

HEADER = ("run", "state", "age", "deployment", "owner", "runs as")
ROWS = [
    (
        "deploy-llama-20261130230653",
        "SUCCEEDED",
        "2 min 15 s",
        "llama",
        "",
        "pipeline@my-project.iam.gserviceaccount.com",
    ),
    ("mirror-llama-20261130", "FAILED", "3 h 1 min", "llama", "ml", "pipeline@my-project.iam.gserviceaccount.com"),
]
RECORDS = """\
deploy-llama-20261130230653   SUCCEEDED
    age 2 min 15 s   deployment llama
    runs as pipeline@my-project.iam.gserviceaccount.com
mirror-llama-20261130   FAILED
    age 3 h 1 min   deployment llama   owner ml
    runs as pipeline@my-project.iam.gserviceaccount.com
"""


def test_a_list_that_fits_has_columns_and_one_that_does_not_has_its_cells_below_each_other() -> None:
    aligned = text_table(HEADER, ROWS)
    assert [line.split()[0] for line in aligned.splitlines()] == ["run", ROWS[0][0], ROWS[1][0]]
    widest = max(map(len, aligned.splitlines()))
    assert text_table(HEADER, ROWS, widest) == aligned
    assert text_table(HEADER, ROWS, widest - 1) != aligned
    assert text_table(HEADER, ROWS, 60) == RECORDS


def test_the_width_is_that_of_columns_and_none_for_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns() is None
    for named, width in (("80", 80), ("0", None), ("wide", None)):
        monkeypatch.setenv("COLUMNS", named)
        assert columns() == width


def test_a_long_fact_continues_below_itself_and_no_word_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    price = "0.85 USD/h, 623 USD a month of 730 hours (Compute Engine's list price in us-central1)"
    monkeypatch.setenv("COLUMNS", "80")
    assert fact("Price", price) == (
        "Price       0.85 USD/h, 623 USD a month of 730 hours (Compute Engine's list\n            price in us-central1)"
    )
    assert fact("URL", "https://" + "a" * 80) == f"URL         https://{'a' * 80}"
    monkeypatch.delenv("COLUMNS")
    assert fact("Price", price) == f"Price       {price}"


def test_a_next_command_that_fills_the_line_has_its_purpose_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ("an answer", ("ask", "small", "Who?")), ("the report of the evaluation", ("runs", "open", "a" * 40))
    monkeypatch.setenv("COLUMNS", "80")
    say_next(*steps)
    assert capsys.readouterr().err == (
        "\nNext:\n"
        "  vertex-vllm ask small 'Who?'   # an answer\n"
        f"  # the report of the evaluation\n  vertex-vllm runs open {'a' * 40}\n"
    )


def test_runs_with_long_names_are_compared_under_letters() -> None:
    header, rows = ("", "a-run-of-today", "a-run-of-yesterday"), [("quality", "0.5", "0.6")]
    assert side_by_side(header, rows, 60) == text_table(header, rows)
    assert side_by_side(header, rows, 40) == (
        "          A     B\nquality   0.5   0.6\n\nA  a-run-of-today\nB  a-run-of-yesterday\n"
    )
