"""Smoke tests: every method, each answer recorded, and malformed answers refused."""

import json

import pytest

from vertex_vllm.errors import InferenceError
from vertex_vllm.inference import smoke
from vertex_vllm.inference.smoke import answers_json, smoke_test_image, smoke_test_text

CAR = "A car is a vehicle with four wheels."


@pytest.mark.parametrize(
    ("chat", "methods"),
    [
        (True, [smoke.PREDICT, smoke.PREDICT_RAW, smoke.CHAT]),
        (False, [smoke.PREDICT, smoke.PREDICT_RAW]),
    ],
)
def test_text_is_asked_for_in_every_way_there_is(endpoint: str, chat: bool, methods: list[str]) -> None:
    answers = smoke_test_text(endpoint, chat)
    assert [answer.method for answer in answers] == methods
    assert {(answer.prompt, answer.text) for answer in answers} == {("What is a car?", CAR)}
    counted = [(answer.prompt_tokens, answer.completion_tokens) for answer in answers]
    assert counted == [(5, 8) if method == smoke.CHAT else (None, None) for method in methods]


@pytest.mark.parametrize(
    ("chat", "image_prompt", "asked"),
    [
        (True, "", [(smoke.PREDICT_CHAT, smoke.IMAGE_QUESTION), (smoke.CHAT, smoke.IMAGE_QUESTION)]),
        (False, "", [(smoke.PREDICT_IMAGE, smoke.LLAMA_IMAGE_PROMPT)]),
        (
            True,
            "<image>What is in this picture?",
            [
                (smoke.PREDICT_IMAGE, "<image>What is in this picture?"),
                (smoke.PREDICT_CHAT, smoke.IMAGE_QUESTION),
                (smoke.CHAT, smoke.IMAGE_QUESTION),
            ],
        ),
    ],
)
def test_a_picture_goes_with_the_question(
    endpoint: str, chat: bool, image_prompt: str, asked: list[tuple[str, str]]
) -> None:
    answers = smoke_test_image(endpoint, chat, image_prompt)
    assert [(answer.method, answer.prompt) for answer in answers] == asked
    assert {answer.text for answer in answers} == {"A red car."}


@pytest.mark.parametrize(
    ("question", "answered"),
    [
        ("What is a car? think first", "Let me see what that may be."),
        ("What is a car? think aloud", "<think>Let me see what that may be."),
        ("What is a car? call a tool", ""),
    ],
)
def test_thoughts_and_a_called_tool_are_answers(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, question: str, answered: str
) -> None:
    monkeypatch.setattr(smoke, "QUESTION", question)
    assert smoke_test_text(endpoint, True)[-1].text == answered


def test_what_is_recorded_has_the_requests_without_the_pictures_bytes(endpoint: str) -> None:
    recorded = answers_json(smoke_test_image(endpoint, True, "<image>What is in this picture?"))
    answers = json.loads(recorded)
    assert answers[0]["request"]["multi_modal_data"]["image"].startswith("data:image/png;base64,… (")
    part = answers[2]["request"]["messages"][0]["content"][0]
    assert part["image_url"]["url"].startswith("data:image/png;base64,… (")
    assert len(recorded) < 4096


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is a car? say nothing", "is empty"),
        ("What is a car, as a number?", "is not a string"),
        ("refuse 500 out of memory", "HTTP 500: as you wished: out of memory"),
    ],
)
def test_an_answer_that_is_none_fails_the_test(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, question: str, said: str
) -> None:
    monkeypatch.setattr(smoke, "QUESTION", question)
    with pytest.raises(InferenceError, match=said):
        smoke_test_text(endpoint, True)


def test_an_empty_chat_completion_fails_the_test(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "IMAGE_QUESTION", "What is in this picture? say nothing")
    with pytest.raises(InferenceError, match="The answer to predict, chatCompletions is empty"):
        smoke_test_image(endpoint, True)
