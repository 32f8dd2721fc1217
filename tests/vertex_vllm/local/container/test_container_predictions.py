import pytest

from vertex_vllm.local.container.predictions import Chat, Prompt, RequestError, read_request

PICTURE = "data:image/png;base64,AAAA"
MESSAGES = [{"role": "user", "content": "What is a car?"}]


def test_an_instance_becomes_a_completion():
    instance = {"prompt": "What is a car?", "max_tokens": 50, "temperature": 0.5, "top_p": 1.0, "top_k": 10}
    assert read_request({"instances": [{**instance, "raw_response": True}, instance]}) == (
        Prompt("/v1/completions", instance, "What is a car?", raw_response=True),
        Prompt("/v1/completions", instance, "What is a car?", raw_response=False),
    )


def test_a_picture_goes_into_a_chat_completion_that_leaves_the_prompt_as_it_is():
    instance = {"prompt": "<image>What?", "max_tokens": 5, "multi_modal_data": {"image": PICTURE}}
    assert read_request({"instances": [instance]}) == (
        Prompt(
            "/v1/chat/completions",
            {
                "max_tokens": 5,
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": PICTURE}},
                            {"type": "text", "text": "<image>What?"},
                        ],
                    }
                ],
                "chat_template": "{{ messages[0]['content'] }}",
                "add_generation_prompt": False,
                "add_special_tokens": True,
            },
            "<image>What?",
            raw_response=False,
        ),
    )


def test_without_max_tokens_a_prompt_with_pictures_is_answered_as_briefly_as_one_without():
    instance = {"prompt": "?", "multi_modal_data": {"image": [PICTURE, PICTURE]}}
    [prompt] = read_request({"instances": [instance]})
    assert prompt.payload["max_tokens"] == 16  # vLLM's default for completions
    assert len(prompt.payload["messages"][0]["content"]) == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            {"@requestFormat": "chatCompletions", "messages": MESSAGES, "stream": True},
            Chat({"messages": MESSAGES, "stream": True}, wrapped=False),
            id="a body",
        ),
        pytest.param(
            {"instances": [{"@requestFormat": "chatCompletions", "messages": MESSAGES, "max_tokens": 5}]},
            Chat({"messages": MESSAGES, "max_tokens": 5}, wrapped=True),
            id="an instance",
        ),
    ],
)
def test_chat_completions(body, expected):
    assert read_request(body) == expected


@pytest.mark.parametrize(
    ("prompt", "completion", "answers"),
    [
        pytest.param(
            Prompt("/v1/completions", {}, "What is a car?", raw_response=False),
            {"choices": [{"text": " A vehicle."}]},
            ["Prompt:\nWhat is a car?\nOutput:\n A vehicle."],
            id="with the prompt",
        ),
        pytest.param(
            Prompt("/v1/completions", {}, "What is a car?", raw_response=True),
            {"choices": [{"text": " A vehicle."}, {"text": " A toy."}]},
            [" A vehicle.", " A toy."],
            id="raw, with n = 2",
        ),
        pytest.param(
            Prompt("/v1/chat/completions", {}, "?", raw_response=True),
            {"choices": [{"message": {"content": "A car."}}]},
            ["A car."],
            id="a prompt with a picture",
        ),
        pytest.param(
            Prompt("/v1/chat/completions", {}, "?", raw_response=True),
            {"choices": [{"message": {"content": None}}]},
            [""],
            id="no content",
        ),
    ],
)
def test_answers(prompt, completion, answers):
    assert prompt.answers(completion) == answers


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "The body must be a JSON object."),
        ({}, 'The body must have "instances": a list of objects, at least one.'),
        ({"instances": []}, 'The body must have "instances": a list of objects, at least one.'),
        ({"instances": ["What is a car?"]}, 'The body must have "instances": a list of objects, at least one.'),
        ({"instances": [{"prompt": "a"}, {}]}, 'instances[1] must have a "prompt" that is a string.'),
        ({"instances": [{"prompt": ["a"]}]}, 'instances[0] must have a "prompt" that is a string.'),
        (
            {"instances": [{"prompt": "a"}, {"@requestFormat": "chatCompletions", "messages": []}]},
            "chatCompletions takes one instance a request.",
        ),
        ({"instances": [{"prompt": "a", "stream": True}]}, "instances[0]: only chat completions can be streamed."),
        (
            {"instances": [{"prompt": "a", "dynamic-lora": "gs://b/lora"}]},
            "instances[0]: this machine's container loads no LoRA adapters at request time.",
        ),
        (
            {"instances": [{"prompt": "a", "multi_modal_data": {"image": []}}]},
            'instances[0]: "multi_modal_data" must be {"image": a URL or a list of URLs}.',
        ),
        (
            {"instances": [{"prompt": "a", "multi_modal_data": {"audio": "x"}}]},
            'instances[0]: "multi_modal_data" must be {"image": a URL or a list of URLs}.',
        ),
    ],
)
def test_what_makes_no_sense_is_refused(body, message):
    with pytest.raises(RequestError) as refusal:
        read_request(body)
    assert str(refusal.value) == message
