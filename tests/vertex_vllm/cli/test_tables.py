"""Lists at the width of a terminal."""

import pytest

from vertex_vllm.cli.table import text_table
from vertex_vllm.cli.terminal import columns

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
