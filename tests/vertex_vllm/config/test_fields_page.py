"""docs/fields.md is the page that the schema makes, and names every field."""

from pathlib import Path

from vertex_vllm.config.fields_page import fields_page

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_of_fields_is_current() -> None:
    assert (ROOT / "docs" / "fields.md").read_text(encoding="utf-8") == fields_page()


def test_a_field_has_its_type_bounds_default_and_meaning() -> None:
    rows = fields_page().splitlines()
    (row,) = (row for row in rows if row.startswith("| `gpu_memory_utilization` |"))
    assert row.split(" | ")[1:3] == ["number, more than 0, at most 0.99", "`0.9`"]
    assert "Share of each accelerator's memory" in row
    assert next(row for row in rows if row.startswith("| `id` |")).startswith("| `id` | text | required |")


def cells(field: str) -> list[str]:
    """Type, default and meaning of the only field of that name."""
    (row,) = (row for row in fields_page().splitlines() if row.startswith(f"| `{field}` |"))
    return row.strip("| ").split(" | ")[1:]


def test_a_list_says_of_what() -> None:
    assert cells("levels")[0] == "list of whole numbers, at least 1, at most 4"
    assert cells("media_domains")[0] == "list of texts"
    assert cells("schedules")[0] == "list of sections"


def test_a_large_bound_is_written_out() -> None:
    assert cells("max_model_len")[0] == "whole number, at least 0, at most 10000000"


def test_every_field_has_a_meaning() -> None:
    rows = [row for row in fields_page().splitlines() if row.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
    assert cells("licences")[2] == "Licences under which a model may be served."
