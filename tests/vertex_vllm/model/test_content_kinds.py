"""Files that are not what their names say, by their first bytes."""

from dataclasses import dataclass

import pytest

from vertex_vllm.errors import PlanError
from vertex_vllm.model.content_kinds import check_small_file, content_fault, disguise
from vertex_vllm.model.untrusted_json import parse_json

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
        (b"\x93NUMPY\x01", "is a NumPy array"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras's weights are"),
        (b"\x28\xb5\x2f\xfd", "is compressed with Zstandard"),
        (b"model/" + bytes(251) + b"ustar", "is a tar archive"),
        (POINTER.replace(b"git-lfs", b"hawser"), "is a pointer of Git LFS, not the file that it points to"),
        (POINTER.replace(b"\n", b"\r\n"), "is a pointer of Git LFS, not the file that it points to"),
        (b"# xet version 0\nfilesize = 5\n", "is a pointer of Git Xet, not the file that it points to"),
        (b"/annex/objects/SHA256E-s5--ab.safetensors", "is a pointer of git-annex, not the file that it points to"),
        (b"../../blobs/0123", "is text that begins with '../../blobs/0123'"),
        ("Verboten für ".encode() + b"x" * 90, f"is text that begins with 'Verboten f\\xfcr {'x' * 46}'"),
        (b"<|im_start|>", "is text that begins with '<|im_start|>'"),
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
        ("consolidated.00.pth", b"\x00bc", "does not hold PyTorch's weights: it has another beginning"),
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
        ("pytorch_model.bin", b"oops", "does not hold PyTorch's weights: it is text that begins with 'oops'"),
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


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("config.json", b"\xef\xbb\xbf{}", "begins with a byte order mark"),
        ("config.json", "{}".encode("utf-16"), "is in UTF-16, not in UTF-8"),
        ("chat_template.jinja", b"{{ \xe9 }}", "is not UTF-8"),
        ("merges.txt", b"\xff\xfea", "is in UTF-16, not in UTF-8"),
        ("config.json", b'{"a": 1,}', "is not JSON: line 1, column"),
        ("config.json", b"[" * 100_000, "is not JSON: nested too deeply"),
    ],
)
def test_a_text_that_transformers_does_not_read_is_told(path: str, data: bytes, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        check_small_file(Named(path), data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (POINTER, "is a pointer of Git LFS, not the file that it points to"),
        (b"<!doctype html><html></html>", "is a web page"),
        (b"", "is empty"),
        (b"{", "is not JSON: line 1, column 2"),
    ],
)
def test_what_stands_in_the_place_of_json_is_named(data: bytes, words: str) -> None:
    with pytest.raises(PlanError, match=words) as raised:
        parse_json(data, "config.json")
    assert raised.value.where == "config.json"


def test_texts_in_utf8_are_taken() -> None:
    for path, data in (("config.json", '{"a": "é"}'), ("merges.txt", "é"), ("chat_template.jinja", "")):
        check_small_file(Named(path), data.encode())
