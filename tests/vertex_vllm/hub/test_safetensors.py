"""Headers of safetensors files: real-shaped ones, and any bytes at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.listing import HubFile
from vertex_vllm.hub.safetensors import LONGEST_HEADER, Weights, header_length, tensors, total


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
