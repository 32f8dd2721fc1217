"""JSON that somebody else wrote, nested so deeply that Python's parser gives up: refused as any other bad JSON."""

from collections.abc import Callable

import pytest

from vertex_vllm.errors import InferenceError, InputError
from vertex_vllm.evaluation.baseline import parse_baseline
from vertex_vllm.evaluation.suites.suite import from_bundle
from vertex_vllm.foreign_json import parsed
from vertex_vllm.inference.chat import read_chunk
from vertex_vllm.inference.endpoint_connection import server_words
from vertex_vllm.lifecycle.lock import held_by_a_run

DEEP = "[" * 100_000
DEEP_OBJECT = '{"a":' * 100_000
LONG_NUMBER = f'{{"run": {"9" * 10_000}}}'


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECT, LONG_NUMBER, "", "{", "nothing"])
def test_anything_else_than_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed(text)
    with pytest.raises(ValueError, match=r".+"):
        parsed(text.encode())


def test_json_is_read() -> None:
    assert parsed('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECT, LONG_NUMBER])
def test_a_lock_that_somebody_planted_is_nobody_s(text: str) -> None:
    assert held_by_a_run(text.encode(), "projects/p/locations/us-central1/pipelineJobs/x") is None


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECT])
@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda text: parse_baseline(text, "gs://b/result.json"), InputError),
        (lambda text: from_bundle(text, "gs://b/suite.json"), InputError),
        (lambda text: read_chunk(text, 0.1), InferenceError),
    ],
    ids=["baseline", "suite", "chunk of an answer"],
)
def test_an_object_or_an_answer_that_somebody_else_wrote_is_refused(
    read: Callable[[str], object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error):
        read(text)


def test_a_server_s_error_that_cannot_be_read_is_told_as_it_is() -> None:
    assert server_words(DEEP) == "[" * len(server_words(DEEP))
