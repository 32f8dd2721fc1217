"""Files that are not what their names say, by their first bytes."""

from dataclasses import dataclass

import pytest

from vertex_vllm.errors import PlanError
from vertex_vllm.model.content_kinds import check_small_file, content_fault, disguise

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
PAGE = b"\n<!DOCTYPE html><html>503</html>"
ZIP, OLD_PICKLE = b"PK\x03\x04rest", b"\x80\x02\x8a\x0al\xfc\x9c"


@pytest.mark.parametrize(
    ("opening", "kind"),
    [
        (b"", "is empty"),
        (POINTER, "is a pointer of Git LFS, not the file that it points to"),
        (PAGE, "is a web page (HTML or XML)"),
        (b"<?xml version='1.0'?><Error>", "is a web page (HTML or XML)"),
        (ZIP, "is a ZIP archive, as PyTorch's pickled weights are"),
        (OLD_PICKLE, "is a pickle, as PyTorch's older weights are"),
        (b"GGUF\x03", "is a GGUF file"),
        (b"\x1f\x8b\x08", "is compressed with gzip"),
        (b' {"error": "x"}', "is JSON"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}", ""),
        (b"<|im_start|>", ""),
    ],
)
def test_what_begins_so(opening: bytes, kind: str) -> None:
    assert disguise(opening) == kind


@pytest.mark.parametrize(
    ("path", "data", "fault"),
    [
        ("pytorch_model-00001-of-00002.bin", ZIP, ""),
        ("pytorch_model.bin", OLD_PICKLE, ""),
        ("pytorch_model.bin", PAGE, "does not hold PyTorch's weights: it is a web page (HTML or XML)"),
        ("pytorch_model.bin", b"", "does not hold PyTorch's weights: it is empty"),
        ("consolidated.00.pth", b"abc", "does not hold PyTorch's weights: it has another beginning"),
        ("openvino_model.bin", b"abc", ""),
        ("model.gguf", b"GGUF", ""),
        ("model.gguf", ZIP, "is not a GGUF file: it is a ZIP archive, as PyTorch's pickled weights are"),
        ("tokenizer.model", POINTER, "is a pointer of Git LFS, not the file that it points to"),
        ("README.md", POINTER, "is a pointer of Git LFS, not the file that it points to"),
        ("tokenizer.json", PAGE, "is a web page (HTML or XML)"),
        ("other.json", PAGE, "is a web page (HTML or XML)"),
        ("config.json", b"", "is empty"),
        ("notes.json", b"", ""),
        ("vocab.txt", b"", ""),
        ("chat_template.jinja", b"<|im_start|>{{ messages }}", ""),
    ],
)
def test_what_cannot_have_its_name(path: str, data: bytes, fault: str) -> None:
    assert content_fault(path, len(data), data) == fault


@dataclass(frozen=True)
class Named:
    path: str
    size: int = 0


@pytest.mark.parametrize("data", [b'{"half": ', b"[1]", b"{" * 10_000, b"\xff"])
def test_half_a_config_is_named(data: bytes) -> None:
    with pytest.raises(PlanError) as raised:
        check_small_file(Named("tokenizer_config.json"), data)
    assert raised.value.where == "tokenizer_config.json"


def test_json_that_nobody_reads_may_be_anything() -> None:
    check_small_file(Named("notes.json"), b"[1")
    check_small_file(Named("assets/config.json"), b"[1")
