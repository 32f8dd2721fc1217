"""Headers of safetensors files: real-shaped ones, and any bytes at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.model.safetensors import (
    LONGEST_HEADER,
    LONGEST_HEADERS,
    MOST_TENSORS,
    Weights,
    header_length,
    read_tensors,
    tensors,
    total,
)


def a_file(size: int) -> HubFile:
    return HubFile("model.safetensors", size, "a" * 64, "b" * 40)


def header(**tensor: object) -> bytes:
    return json.dumps({"__metadata__": {"format": "pt"}, **tensor}).encode()


def test_numbers_and_bytes_are_counted_and_the_most_frequent_type_named() -> None:
    data = header(
        embed={"dtype": "BF16", "shape": [100, 8], "data_offsets": [0, 1600]},
        scale={"dtype": "F32", "shape": [], "data_offsets": [1600, 1604]},
        packed={"dtype": "I32", "shape": [4, 2], "data_offsets": [1604, 1636]},
    )
    assert total(tensors(data, a_file(8 + len(data) + 1636)).values()) == Weights(809, 1636, "BF16")


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        ({"shape": [1], "data_offsets": [0, 2]}, "no dtype"),
        ({"dtype": "BF16", "shape": [-1], "data_offsets": [0, 2]}, "no shape"),
        ({"dtype": "BF16", "shape": "1", "data_offsets": [0, 2]}, "no shape"),
        ({"dtype": "BF16", "shape": [1], "data_offsets": [0]}, "no data_offsets"),
        ({"dtype": "BF16", "shape": [1], "data_offsets": [0, 200]}, "outside the file"),
        ({"dtype": "BF16", "shape": [1], "data_offsets": [2, 0]}, "outside the file"),
        ({"dtype": "BF16", "shape": [10**9], "data_offsets": [0, 2]}, "cannot hold"),
        ("BF16", "no dtype"),
    ],
)
def test_a_tensor_that_cannot_be_is_named(tensor: object, complaint: str) -> None:
    data = header(wrong=tensor)
    with pytest.raises(PlanError, match=complaint) as raised:
        tensors(data, a_file(8 + len(data) + 100))
    assert raised.value.where == "model.safetensors: 'wrong'"


@pytest.mark.parametrize("announced", [0, 93, LONGEST_HEADER + 1, 2**63])
def test_a_header_that_does_not_fit_is_refused(announced: int) -> None:
    with pytest.raises(PlanError, match="not a safetensors file"):
        header_length(announced.to_bytes(8, "little"), a_file(100))


def test_a_header_may_fill_the_file() -> None:
    assert header_length((92).to_bytes(8, "little"), a_file(100)) == 92


@given(st.binary(max_size=200))
def test_any_bytes_give_a_count_or_our_error(data: bytes) -> None:
    file = a_file(len(data))
    try:
        length = header_length(data, file)
        found = total(tensors(data[8 : 8 + length], file).values())
    except PlanError as error:
        fault = error.where
    else:
        fault = ""
        assert found.bytes <= len(data)
    assert not fault or fault.startswith("model.safetensors")


class Claims:
    """A repository whose files announce headers of this many bytes, and count the bytes that are read of them."""

    def __init__(self, announced: int) -> None:
        self.announced, self.bytes_read = announced, 0

    def read(self, file: HubFile, start: int = 0, length: int | None = None) -> bytes:
        assert length is not None
        self.bytes_read += length
        one = b'{"t": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}'
        begin = b"" if start else self.announced.to_bytes(8, "little") + one
        return begin + b" " * (length - len(begin))


def test_the_headers_of_all_files_together_are_bounded_before_they_are_read() -> None:
    claims = Claims(LONGEST_HEADERS // 4)
    with pytest.raises(PlanError, match="headers of more than"):
        read_tensors(claims, [a_file(8 + claims.announced)] * 5)
    assert claims.bytes_read <= LONGEST_HEADERS + 5 * (128 << 10)


@pytest.mark.parametrize("header", [b"{}", b'{"__metadata__": {"format": "pt"}}'])
def test_a_file_without_tensors_is_not_a_file_of_weights(header: bytes) -> None:
    with pytest.raises(PlanError, match="holds no tensors"):
        tensors(header, a_file(8 + len(header)))


@pytest.mark.parametrize("repeated", [b"[],", b"{},"])
def test_a_header_of_small_lists_or_objects_is_refused_before_it_is_read(repeated: bytes) -> None:
    data = b'{"a": [' + repeated * (2 * MOST_TENSORS + 1) + b"0]}"
    with pytest.raises(PlanError, match="more than 1000000 tensors"):
        tensors(data, a_file(8 + len(data)))


@pytest.mark.parametrize(
    ("offsets", "complaint"),
    [
        (((0, 8), (4, 12)), "overlaps another tensor"),
        (((0, 8), (0, 8)), "overlaps another tensor"),
        (((0, 8), (10, 18)), "leaves a hole"),
        (((0, 8), (8, 16)), "its tensors take 16"),
    ],
)
def test_tensors_lie_one_behind_the_other_and_fill_the_file(
    offsets: tuple[tuple[int, int], ...], complaint: str
) -> None:
    named = {f"t{index}": {"dtype": "F32", "shape": [2], "data_offsets": list(at)} for index, at in enumerate(offsets)}
    data = header(**named)
    with pytest.raises(PlanError, match=complaint):
        tensors(data, a_file(8 + len(data) + 18))
