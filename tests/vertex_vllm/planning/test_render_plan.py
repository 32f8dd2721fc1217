"""The plan as people read it."""

from tests.vertex_vllm.plans import serving_plan
from vertex_vllm.planning.render import render_plan

PLAN = serving_plan(
    deployment="llama",
    config_hash="0123456789",
    model_id="meta-llama/Llama-3.2-11B-Vision",
    machine_type="a2-highgpu-1g",
    accelerator_type="NVIDIA_TESLA_A100",
    spot=True,
    max_replica_count=2,
    args=("python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080", "--max-model-len=4096"),
    commit="",
    vision=True,
    chat=False,
    requests=5,
    warnings=("the first", "the second"),
    reasons={
        "machine_type": "what Google's tutorial serves this model on; about 26.6 of 35.4 GiB of each accelerator: "
        "weights 20.3, cache 0.6, vLLM 2.3, images 3.4",
        "chat": "the repo has no chat template",
    },
)


def test_a_plan_for_people_gives_each_choice_and_its_reason() -> None:
    assert (
        render_plan(PLAN)
        == """\
Verdict           uncertain, with 2 warnings
Machine           a2-highgpu-1g, 1 × NVIDIA_TESLA_A100, 1 to 2 replicas, spot, in us-central1
                  (what Google's tutorial serves this model on; about 26.6 of 35.4 GiB of each
                   accelerator: weights 20.3, cache 0.6, vLLM 2.3, images 3.4)
Price             unknown: the catalogue has no dated price for this machine in this region
Context           4096 tokens; the cache holds 5 requests of that length at once
Warnings          the first
                  the second
Deployment        llama, config 0123456789
Model             meta-llama/Llama-3.2-11B-Vision
Tokens            not measured
Image             registry.example.com/vllm:1, vLLM 0.9.2
Arguments         python -m vllm.entrypoints.api_server --host=0.0.0.0 --port=8080
                  --max-model-len=4096
Chat completions  no
                  (the repo has no chat template)
Images            yes
Endpoint          dedicated, requests of up to 1800 s, ready within 7200 s
Quota             CustomModelServingPreemptibleA100GPUsPerProjectPerRegion in us-central1: 1 to
                  start, 2 at most
"""
    )
