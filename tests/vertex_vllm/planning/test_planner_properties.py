"""For any deployment and model the planner returns a plan, or raises an error of its own."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
from vertex_vllm.errors import InputError, PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving
from vertex_vllm.planning.render import render_plan

CATALOG = load_catalog()
MODELS = sorted(CATALOG.models)
REGIONS = sorted({region for machine in CATALOG.machines.values() for region in machine.regions})
SHAPES = [facts.shape for name in MODELS if isinstance(facts := CATALOG.facts(name), ModelFacts)]
RECORDED = [facts for name in MODELS if isinstance(facts := CATALOG.facts(name), ModelFacts)]
FLAGS = st.one_of(
    st.sampled_from(sorted(CATALOG.flags)),
    st.sampled_from(["-tp", "-O3", "--no-enable-prefix-caching", "--model", "--compilation_config.level"]),
    st.from_regex(r"--?[a-z_.-]{1,12}", fullmatch=True),
)
ARGUMENTS = st.one_of(
    FLAGS,
    st.builds(
        lambda flag, value: f"{flag}={value}", FLAGS, st.sampled_from(["1", "2", "0", "-1", "x", "1e9", "999999999"])
    ),
    st.sampled_from(["2", "-3", "value", "a b"]),
)


@st.composite
def facts(draw: st.DrawFn) -> ModelFacts:
    quantization = st.sampled_from(["", "fp8", "fbgemm_fp8", "gptq", "unheard-of"])
    shape = replace(
        draw(st.sampled_from(SHAPES)),
        architecture=draw(st.sampled_from([*sorted(CATALOG.architectures), "FooForCausalLM", ""])),
        layers=draw(st.integers(0, 200)),
        hidden_size=draw(st.integers(0, 20_000)),
        attention_heads=draw(st.integers(0, 130)),
        key_value_heads=draw(st.integers(0, 130)),
        head_size=draw(st.integers(0, 256)),
        context_length=draw(st.integers(0, 10**6)),
        vision=draw(st.booleans()),
    )
    return ModelFacts(
        model_id=draw(st.sampled_from([*MODELS, "someone/something"])),
        commit="",
        dtype=draw(st.sampled_from(["bfloat16", "float16", "float32", ""])),
        quantization=draw(quantization),
        parameters=draw(st.integers(0, 10**13)),
        weight_bytes=draw(st.one_of(st.integers(0, 10**11), st.integers(0, 10**13))),
        chat_template=draw(st.booleans()),
        custom_code=draw(st.booleans()),
        gated=draw(st.booleans()),
        source="Hub",
        shape=shape,
    )


SERVING = st.fixed_dictionaries(
    {},
    optional={
        "region": st.sampled_from(REGIONS),
        "machine_type": st.sampled_from(sorted(CATALOG.machines)),
        "accelerator_type": st.sampled_from(sorted(CATALOG.accelerators)),
        "accelerator_count": st.sampled_from([0, 1, 2, 3, 4, 8]),
        "image": st.sampled_from([*sorted(CATALOG.images), "registry.example.com/vllm:1", "registry.example.com/vllm"]),
        "max_model_len": st.integers(0, 10**6),
        "max_num_seqs": st.integers(0, 1024),
        "gpu_memory_utilization": st.floats(0.01, 0.99),
        "dtype": st.sampled_from(["auto", "bfloat16", "float16", "float32"]),
        "trust_remote_code": st.booleans(),
        "extra_args": st.lists(ARGUMENTS, max_size=4),
        "spot": st.booleans(),
        "concurrency": st.integers(1, 256),
        "fallbacks": st.lists(
            st.builds(
                lambda region, machine: f"{region}/{machine}",
                st.sampled_from(REGIONS),
                st.sampled_from(sorted(CATALOG.machines)),
            ),
            max_size=2,
        ),
    },
)


def plan_or_refusal(model: ModelFacts, serving: dict[str, Any]) -> ServingPlan | InputError:
    try:
        deployment = deployment_from_parameters(deployment="any", model_id=model.model_id, **serving)
        return plan_serving(model, deployment, CATALOG)
    except (PlanError, InputError) as error:
        return error


@given(model=facts(), serving=SERVING)
def test_every_model_and_deployment_is_planned_or_refused_by_name(model: ModelFacts, serving: dict[str, Any]) -> None:
    outcome = plan_or_refusal(model, serving)
    if isinstance(outcome, InputError):
        assert outcome.where
        assert outcome.message
        return
    machine = CATALOG.machines[outcome.machine_type]
    assert outcome.region in machine.regions
    assert (outcome.accelerator_type, outcome.accelerator_count) == (machine.accelerator, machine.count)
    assert ServingPlan.from_json(outcome.to_json()) == outcome
    assert render_plan(outcome).endswith("\n")
    assert not [text for text in outcome.args if text.partition("=")[0] == "--model"]
    assert [text for text in outcome.args if text.startswith("--port")] == ["--port=8080"]


@given(model=facts(), serving=SERVING)
def test_what_is_planned_for_a_long_context_is_planned_for_a_shorter_one(
    model: ModelFacts, serving: dict[str, Any]
) -> None:
    outcome = plan_or_refusal(model, serving)
    if isinstance(outcome, ServingPlan):
        shorter = serving | {"max_model_len": max(1, outcome.max_model_len // 2)}
        assert isinstance(plan_or_refusal(model, shorter), ServingPlan)


@given(st.sampled_from(RECORDED), SERVING, st.integers(1, 100_000), st.integers(1, 1024))
def test_what_fits_a_machine_still_fits_it_with_a_shorter_context_and_fewer_sequences(
    model: ModelFacts, serving: dict[str, Any], length: int, sequences: int
) -> None:
    serving = serving | {"extra_args": []}
    outcome = plan_or_refusal(model, serving)
    if not isinstance(outcome, ServingPlan) or not outcome.reasons["memory"].startswith("fits"):
        return
    given_sequences = next(int(text[15:]) for text in outcome.args if text.startswith("--max-num-seqs="))
    smaller = serving | {
        "machine_type": outcome.machine_type,
        "accelerator_type": "",
        "accelerator_count": 0,
        "max_model_len": min(length, outcome.max_model_len),
        "max_num_seqs": min(sequences, given_sequences),
    }
    still = plan_or_refusal(model, smaller)
    assert isinstance(still, ServingPlan)
    assert still.reasons["memory"].startswith("fits")


@given(facts())
def test_facts_survive_being_written_down(model: ModelFacts) -> None:
    assert ModelFacts.from_json(model.to_json()) == model
