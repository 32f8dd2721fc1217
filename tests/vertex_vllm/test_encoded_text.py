"""Encodings of files that people save on Windows: UTF-8 is read, any other is named."""

import codecs

import pytest

from vertex_vllm.encoded_text import readable_text, utf8_text

TEXT = "name: größe\n"


@pytest.mark.parametrize("data", [TEXT.encode(), TEXT.encode("utf-8-sig")])
def test_utf_8_is_read_with_and_without_its_mark(data: bytes) -> None:
    assert utf8_text(data) == readable_text(data) == TEXT


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TEXT.encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "UTF-32"),
    ],
)
def test_another_encoding_is_named_and_its_text_is_recognised(data: bytes, name: str) -> None:
    with pytest.raises(ValueError, match=rf"is in {name}, not in UTF-8\. Save it as UTF-8"):
        utf8_text(data)
    assert readable_text(data) == TEXT


def test_a_code_page_is_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"is not UTF-8 text: byte 8 cannot be read\. Save it as UTF-8"):
        utf8_text(TEXT.encode("latin-1"))
    assert readable_text(TEXT.encode("latin-1")) == "name: gr\ufffd\ufffde\n"


@pytest.mark.parametrize("data", [b"", b"a", b"\xff\xfe", b"ab\0c"])
def test_few_bytes_are_no_fault_of_the_reader(data: bytes) -> None:
    assert isinstance(readable_text(data), str)
