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
