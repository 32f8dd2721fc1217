"""Values of arguments, as the parser of the image's vLLM takes them: by type, choice, bound, count and partner."""

import pytest

from tests.vertex_vllm.planning.planned import NEWEST, OTHER, SERVE, plan
from vertex_vllm.errors import PlanError

NEW = f"{SERVE}:20260320_0916_RC01"  # vLLM 0.18.0 to 0.19.0
OLD = f"{SERVE}:20250710_0916_RC01"  # vLLM 0.9.2


@pytest.mark.parametrize(
    ("image", "arguments", "message", "fix"),
    [
        ("", ["--seed=abc"], "--seed must be a whole number, not 'abc'", "digits"),
        ("", ["--seed=1.5"], "--seed must be a whole number", "digits"),
        ("", ["--swap-space=much"], "--swap-space must be a number", "digits"),
        ("", ["--override-generation-config={temperature: 0}"], "must be JSON", "quotes around names"),
        ("", ["--limit-mm-per-prompt=image"], "must be JSON", "quotes"),
        ("", ["--tokenizer-mode"], "--tokenizer-mode needs a value", "--tokenizer-mode=…"),
        ("", ["--load-format", "auto", "dummy"], "takes one value, not 2", "--load-format=auto"),
        ("", ["--compilation-config={'level': 3}"], "must be JSON", "quotes"),
        ("", ["--enable-sleep-mode=1"], "takes no value", "leave it out"),
        ("", ["--no-enable-prefix-caching=false"], "takes no value", "leave it out"),
        ("", ["--uvicorn-log-level=loud"], "may not be 'loud'", "Choose one of"),
        ("", ["--enable-log-outputs"], "needs --enable-log-requests beside it", "Add --enable-log-requests"),
        (
            NEW,
            ["--gpu-memory-utilization=0.5", "--max-num-seqs=4", "--kv-cache-dtype=int4"],
            "may not be 'int4'",
            "fp8",
        ),
        (NEW, ["--video-pruning-rate=1"], "must be less than 1", "another number"),
        (NEW, ['--compilation-config={"levle": 3}'], "has no field 'levle'", "Its fields: "),
        (OLD, ["--reasoning-parser=qwen4"], "--reasoning-parser may not be 'qwen4'", "qwen3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_that_every_version_of_the_image_refuses(
    image: str, arguments: list[str], message: str, fix: str
) -> None:
    with pytest.raises(PlanError) as refused:
        plan(OTHER, extra_args=arguments, image=image)
    assert refused.value.where == "serving.extra_args"
    assert message in refused.value.message
    assert fix in refused.value.fix


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--seed=1"], ["--seed", "1"], ["--max_num_seqs=8"], ["--no-enable-prefix-caching"], ["-tp", "1"]),
        *(["--max-model-len=8k"], ["--max-num-batched-tokens=4K"], ["--allowed-origins", '["*"]']),
        *(["--enable-auto-tool-choice", "--tool-call-parser=hermes"], ["--tool-call-parser=anything"]),
        *(["--load-format=runai_streamer"], ["--kv-cache-dtype=fp8_e4m3"], ["--quantization=None"]),
        ['--override-generation-config={"temperature": 0}'],
        *(["--compilation-config.level=3"], ["-O3"], ["--chat-template={{ messages }}"]),
    ],
    ids=" ".join,
)
def test_a_value_that_the_parser_takes(arguments: list[str]) -> None:
    assert set(arguments) <= set(plan(OTHER, extra_args=arguments, image=f"{SERVE}:20251023_0916_RC01").args)


def test_what_some_versions_of_the_image_refuse_is_a_doubt() -> None:
    decided = plan(OTHER, extra_args=["--kv-cache-dtype=fp8_ds_mla"])
    assert decided.verdict == "uncertain"
    assert "--kv-cache-dtype may not be 'fp8_ds_mla' (vLLM 0.11.0)" in decided.reasons["doubts"]


OWN = "europe-docker.pkg.dev/acme/images/vllm:1"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--dtype=fp16", "--dtype may not be 'fp16'; every known vLLM, 0.6.2 to "),
        ("--seed=abc", "--seed must be a whole number, not 'abc'; every known vLLM"),
        ("--enable-prefix-caching=True", "takes no value, not even 'True'; every known vLLM"),
        ('--override-generation-config={"a":', "must be JSON"),
    ],
)
def test_of_an_image_of_unknown_version_what_every_version_refuses_is_refused(argument: str, message: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan(OTHER, image=OWN, extra_args=[argument])
    assert message in refused.value.message


def test_a_partner_is_wanted_only_by_the_versions_that_want_it() -> None:
    """--enable-log-outputs needed nothing beside it before 0.11.0."""
    decided = plan(OTHER, image=f"{SERVE}:20250930_0916_RC01", extra_args=["--enable-log-outputs"])
    assert decided.reasons["doubts"] == "--enable-log-outputs needs --enable-log-requests beside it (vLLM 0.11.0)"


@pytest.mark.parametrize("value", ["true", "False", ""])
def test_an_old_switch_takes_true_or_false(value: str) -> None:
    """--enable-chunked-prefill took a value until 0.8.4."""
    argument = f"--enable-chunked-prefill={value}" if value else "--enable-chunked-prefill"
    assert argument in plan(OTHER, image=f"{SERVE}:20250304_0916_RC01", extra_args=[argument]).args
    with pytest.raises(PlanError, match="may not be 'yes'"):
        plan(OTHER, image=f"{SERVE}:20250304_0916_RC01", extra_args=["--enable-chunked-prefill=yes"])


def test_switches_that_vllm_wants_apart() -> None:
    with pytest.raises(PlanError, match="may not be beside --enable-prompt-adapter"):
        plan(OTHER, image=OLD, extra_args=["--enable-prompt-embeds", "--enable-prompt-adapter"])


def test_of_an_image_of_unknown_version_what_some_versions_refuse_is_a_doubt() -> None:
    decided = plan(OTHER, image=OWN, extra_args=["--reasoning-parser=qwen3", "--block-size=256"])
    assert decided.reasons["doubts"] == (
        "--reasoning-parser may not be 'qwen3' (vLLM 0.7.2 to 0.8.5.post1); "
        "--block-size may not be '256' (vLLM 0.6.2 to 0.11.0)"
    )
    assert decided.reasons["memory"].startswith("uncertain: ")
    assert "doubts" not in plan(OTHER, image=OWN, extra_args=["--seed=1"]).reasons


def test_the_statistics_that_a_flag_needs_stay_on() -> None:
    decided = plan(OTHER, extra_args=["--enable-per-request-metrics"], image=f"{SERVE}:{NEWEST}")
    assert "--disable-log-stats" not in decided.args


CHANCE = f"{SERVE}:20250506_0916_RC01"  # vLLM 0.8.5.post1


def test_a_python_literal_was_taken_for_json_by_old_versions() -> None:
    argument = "--compilation-config={'level': 3}"
    assert argument in plan(OTHER, image=CHANCE, extra_args=[argument]).args


def test_a_choice_that_a_version_takes_by_chance_is_a_doubt() -> None:
    decided = plan(OTHER, image=CHANCE, extra_args=["--guided-decoding-backend=outlines"])
    assert "--guided-decoding-backend=outlines is taken at some starts" in decided.reasons["doubts"]
