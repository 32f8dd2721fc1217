import pytest

from vertex_vllm.local.container.flag_translation import Translation, has_switch, option_value, replace_value, translate

OLD = "0.9.2"
NEW = "0.18.0"


@pytest.mark.parametrize(
    ("flags", "version", "expected"),
    [
        pytest.param(
            ["--model=gs://b/m", "--max-model-len=4096", "--dtype=auto", "--max-loras=1", "--disable-log-stats"],
            OLD,
            Translation(
                ("--model=gs://b/m", "--max-model-len=4096", "--dtype=auto", "--max-loras=1", "--disable-log-stats"), ()
            ),
            id="what vLLM still takes is left as it is",
        ),
        pytest.param(
            ["--swap-space=16"],
            OLD,
            Translation((), ("--swap-space=16 is left out: vLLM 0.18 did away with swapping",)),
            id="an old image takes --swap-space",
        ),
        pytest.param(
            ["--swap-space=16"],
            NEW,
            Translation(("--swap-space=16",), ()),
            id="a new image refuses --swap-space, so vLLM is left to refuse it",
        ),
        pytest.param(
            ["--swap-space", "16", "--seed", "1"],
            OLD,
            Translation(("--seed", "1"), ("--swap-space 16 is left out: vLLM 0.18 did away with swapping",)),
            id="the value may be a word of its own",
        ),
        pytest.param(
            ["--swap_space=16"],
            OLD,
            Translation((), ("--swap_space=16 is left out: vLLM 0.18 did away with swapping",)),
            id="vLLM takes underscores for dashes",
        ),
        pytest.param(
            ["--model-type=llama3.1", "--host-prefix-kv-cache-utilization-target=0.8"],
            OLD,
            Translation(
                (),
                (
                    "--model-type=llama3.1 is left out: an option of Model Garden's build of vLLM",
                    "--host-prefix-kv-cache-utilization-target=0.8 is left out: "
                    "an option of Model Garden's build of vLLM",
                ),
            ),
            id="options of Google's own",
        ),
        pytest.param(
            ["--host=0.0.0.0", "--port=8080", "--tensor-parallel-size=1"],
            OLD,
            Translation((), ()),
            id="nothing is said where nothing changes",
        ),
        pytest.param(
            ["-tp", "8", "--gpu-memory-utilization=0.9", "--enforce-eager"],
            OLD,
            Translation(
                ("--enforce-eager",),
                (
                    "-tp 8 is left out: this machine serves with one worker",
                    "--gpu-memory-utilization=0.9 is left out: there is no GPU here",
                ),
            ),
            id="what needs GPUs",
        ),
        pytest.param(
            ["--disable-log-requests", "--seed=1"],
            "0.11.0",
            Translation(("--seed=1",), ("--disable-log-requests is left out: vLLM logs no requests by default",)),
            id="a switch takes no value",
        ),
        pytest.param(
            ["--disable-log-requests"], "0.12.0", Translation(("--disable-log-requests",), ()), id="gone with 0.12"
        ),
        pytest.param(
            ["--enable-auto-tool-choice", "--tool-call-parser=vertex-llama-3"],
            OLD,
            Translation(
                ("--enable-auto-tool-choice", "--tool-call-parser=llama3_json"),
                ("--tool-call-parser=vertex-llama-3 becomes llama3_json: an option of Model Garden's build of vLLM",),
            ),
            id="Model Garden's parser of tool calls",
        ),
        pytest.param(
            ["--no-such-flag", "--seed=1", "stray"],
            OLD,
            Translation(("--no-such-flag", "--seed=1", "stray"), ()),
            id="what nobody knows is for vLLM to refuse",
        ),
        pytest.param(
            ["--max-logprobs", "-1", "--swap-space"],
            OLD,
            Translation(("--max-logprobs", "-1"), ("--swap-space is left out: vLLM 0.18 did away with swapping",)),
            id="a negative number is a value",
        ),
        pytest.param([], OLD, Translation((), ()), id="nothing"),
    ],
)
def test_translate(flags, version, expected):
    assert translate(flags, version) == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--model=a"], "a"),
        (["--model", "a"], "a"),
        (["--model=a", "--model=b"], "b"),
        (["--model="], ""),
        (["--seed=1"], None),
        (["--model-type=a"], None),
    ],
)
def test_option_value(flags, expected):
    assert option_value(flags, "--model") == expected


def test_replaced_values_keep_their_places():
    flags = ["--seed=1", "--model", "gs://b/m", "--dtype=auto"]
    assert replace_value(flags, "--model", "/weights") == ("--seed=1", "--model=/weights", "--dtype=auto")


def test_a_switch_is_found_in_either_spelling():
    assert has_switch(["--trust_request_chat_template"], "--trust-request-chat-template")
    assert not has_switch(["--seed=1"], "--trust-request-chat-template")
