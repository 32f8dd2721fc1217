"""YAML that somebody else wrote: read as values or as it is written, and refused where it would end the process."""

import pytest

from vertex_vllm.foreign_yaml import parsed, texts_of_documents

DEEP = ["[" * 100_000, "a: " + "{a: " * 100_000, "- " * 100_000 + "a", "? " * 100_000]


@pytest.mark.parametrize("text", [*DEEP, "[", "a: *b", "a: !!python/object:os.system {}", "\x00"], ids=range(8))
def test_what_cannot_be_read_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed(text)
    with pytest.raises(ValueError, match=r".+"):
        parsed(text.encode())


@pytest.mark.parametrize("text", DEEP, ids=range(4))
def test_documents_are_bounded_too(text: str) -> None:
    with pytest.raises(ValueError, match="deep"):
        texts_of_documents(f"a: 1\n---\n{text}")


def test_values_and_texts() -> None:
    assert parsed("a: [1, 2.5, null, on]") == {"a": [1, 2.5, None, True]}
    assert parsed("") is None
    assert texts_of_documents("a: [1, 2.5, null, on]\n---\nb: 2026-01-01") == [
        {"a": ["1", "2.5", "null", "on"]},
        {"b": "2026-01-01"},
    ]
    with pytest.raises(ValueError, match="2 documents"):
        parsed("a: 1\n---\nb: 2")
