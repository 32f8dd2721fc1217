"""The change of the config for a cause is planned again, and offered only if the plan fits."""

import re
from typing import Any

import pytest

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.config_file import parse_deployment
from vertex_vllm.diagnosis.diagnosis_report import text_of
from vertex_vllm.diagnosis.patch import Patch, case_of, propose
from vertex_vllm.diagnosis.ranking import Cause
from vertex_vllm.diagnosis.rules import Change, load_rules
from vertex_vllm.diagnosis.sources import diagnose_lines

IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"
CONFIG = """\
name: of-a-test
model:
  id: meta-llama/Llama-3.1-8B-Instruct
hf_token_secret: hf-token
serving:
  machine_type: {machine}  # ours
{more}"""


def proposed(line: str, machine: str = "g2-standard-12", more: str = "  max_model_len: 4096\n") -> Patch | None:
    text = CONFIG.format(machine=machine, more=more)
    catalog = load_catalog()
    case = case_of(text, "x.yaml", catalog.facts("meta-llama/Llama-3.1-8B-Instruct"), catalog)
    return propose(diagnose_lines([line]).causes[0], case, text, "x.yaml")


@pytest.mark.parametrize(
    ("line", "more", "fields"),
    [
        (
            "ValueError: The model's max seq len (4096) is larger than the maximum number of tokens that can be "
            "stored in KV cache (2256). Try increasing",
            "  max_model_len: 4096\n",
            {"serving.max_model_len": 2048},
        ),
        (
            "RuntimeError: CUDA out of memory occurred when warming up sampler with 256 dummy requests.",
            "  max_num_seqs: 256\n",
            {"serving.max_num_seqs": 128},
        ),
        (
            "api_server.py: error: unrecognized arguments: --swap-space=16",
            f"  image: {IMAGE}\n  extra_args: [--swap-space=16]\n",
            {"serving.extra_args": None},
        ),
        (
            "TypeError: Error: --enable-auto-tool-choice requires --tool-call-parser",
            "",
            {"serving.tools": True},
        ),
    ],
)
def test_the_first_change_with_which_the_plan_holds_is_offered(line: str, more: str, fields: dict[str, object]) -> None:
    patch = proposed(line, more=more)
    assert patch is not None
    assert patch.fields == fields
    assert "# ours" in patch.text
    assert patch.diff.startswith("--- a/x.yaml\n+++ b/x.yaml\n")


def test_weights_that_do_not_fit_ask_for_a_machine_with_more_memory_that_fits() -> None:
    line = "Failed to load model - not enough GPU memory. Try lowering"
    patch = proposed(line)
    assert patch is not None
    assert patch.plan is not None
    assert (patch.verdict, patch.uncertain) == ("fits", "")
    machines = load_catalog().machines
    assert machines[patch.plan.machine_type].count > 1


def test_nothing_is_offered_where_no_change_of_the_config_helps() -> None:
    assert proposed("SafetensorError: Error while deserializing header: incomplete metadata") is None


REFUSED = """\
pydantic_core._pydantic_core.ValidationError: 1 validation error for SchedulerConfig
{setting}
  Input should be greater than or equal to 1 [type=greater_than_equal, input_value=0, input_type=int]"""


@pytest.mark.parametrize(
    ("setting", "more", "fields"),
    [
        ("max_num_batched_tokens", "  extra_args: [--max-num-batched-tokens=0]\n", {"serving.extra_args": None}),
        ("max_num_seqs", "  max_num_seqs: 256\n", {"serving.max_num_seqs": None}),
    ],
)
def test_a_setting_that_pydantic_refuses_is_named_and_left_out(setting: str, more: str, fields: dict[str, Any]) -> None:
    said = REFUSED.format(setting=setting)
    assert diagnose_lines([said]).summary == (
        f"vLLM refuses a setting: Input should be greater than or equal to 1 ({setting})"
    )
    patch = proposed(said, more=more)
    assert patch is not None
    assert patch.fields == fields


def test_a_length_that_the_log_asks_for_is_raised_to_whole_steps() -> None:
    patch = proposed(
        "ValueError: The decoder prompt (length 5842) is longer than the maximum model length of 4096. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens plus multimodal tokens.",
    )
    assert patch is not None
    assert patch.fields == {"serving.max_model_len": 5888}


def test_a_dearer_machine_is_shown_with_both_prices() -> None:
    patch = proposed("Failed to load model - not enough GPU memory. Try lowering")
    assert patch is not None
    before, after = patch.usd_per_hour
    assert before is not None
    assert after is not None
    assert after > before
    found = diagnose_lines(["Failed to load model - not enough GPU memory. Try lowering"])
    assert f"{after:.2f} US dollars an hour, {before:.2f} before" in text_of(found, patch, config="x.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("changes", sorted({rule.changes for rule in load_rules() if rule.changes}, key=str), ids=str)
def test_patches_are_valid_and_never_lead_back_to_a_config_that_failed(changes: tuple[Change, ...]) -> None:
    """Patches for the same cause, with values as a log has them, repeated until no further patch exists."""
    values = {"estimate": "2048", "most": "4096", "tokens": "128", "item": "8192", "rank": "64", "needed": "5842"}
    filled = tuple(
        Change(
            each.action,
            tuple(re.sub(r"{(\w+)}", lambda name: values.get(name[1], ""), text) for text in each.arguments),
        )
        for each in changes
    )
    text, catalog = CONFIG.format(machine="g2-standard-12", more="  max_num_seqs: 64\n"), load_catalog()
    failed = set()
    while True:
        deployment = parse_deployment(text, "x.yaml")
        assert deployment.model_dump_json() not in failed
        failed.add(deployment.model_dump_json())
        case = case_of(text, "x.yaml", catalog.facts("meta-llama/Llama-3.1-8B-Instruct"), catalog)
        patch = propose(Cause("x", "x", changes=filled), case, text, "x.yaml")
        if patch is None:
            return
        assert patch.verdict == ("uncertain" if patch.uncertain else "fits")
        text = patch.text


def test_a_number_format_that_the_method_refuses_is_changed_for_the_other() -> None:
    line = "ValueError: torch.bfloat16 is not supported for quantization method awq. Supported dtypes: [torch.float16]"
    patch = proposed(line)
    assert patch is not None
    assert patch.fields == {"serving.dtype": "float16"}


def test_a_newer_accelerator_replaces_one_that_is_too_old() -> None:
    catalog = load_catalog()
    patch = proposed("RuntimeError: CUDA error: no kernel image is available for execution on the device")
    assert patch is not None
    assert patch.plan is not None
    machine = catalog.machines[patch.plan.machine_type]
    assert catalog.accelerators[machine.accelerator].capability > catalog.accelerators["NVIDIA_L4"].capability
