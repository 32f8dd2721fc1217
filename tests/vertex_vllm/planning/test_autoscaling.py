"""The metric that an endpoint is scaled by, and the plans that could never be scaled."""

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, plan
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.autoscaling import ScalingMetric, scaling_metric

QUEUE = ScalingMetric("prometheus.googleapis.com/vertex_vllm_num_requests_waiting", 5)
MACHINE = ScalingMetric("aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle", 60)


@pytest.mark.parametrize(
    ("version", "metric"),
    [
        ("0.9.2", QUEUE),
        ("0.11.0 to 0.13.0", QUEUE),
        ("0.32.0", QUEUE),
        ("0.32.0 to 0.40.0", MACHINE),
        ("0.40.0", MACHINE),
        ("0.6.2 to 0.9.2", MACHINE),
        ("unknown", MACHINE),
        ("None", MACHINE),
    ],
)
def test_the_metric_follows_the_image_s_vllm(version: str, metric: ScalingMetric) -> None:
    assert scaling_metric(version, ["--max-model-len=4096"], 1, 4) == metric


@pytest.mark.parametrize("args", [["--disable-log-stats"], ["--dtype=auto", "--disable-log-stats"]])
def test_a_plan_whose_metric_would_not_exist_is_refused(args: list[str]) -> None:
    with pytest.raises(PlanError, match="takes away the metric that 1 to 4 replicas are scaled by"):
        scaling_metric("0.9.2", args, 1, 4)
    assert scaling_metric("0.9.2", args, 2, 2) is None


def test_the_planner_refuses_it_and_leaves_vllm_s_statistics_on() -> None:
    decided = plan(LLAMA_8B, max_replica_count=4)
    assert "--disable-log-stats" not in decided.args
    with pytest.raises(PlanError, match="takes away the metric"):
        plan(LLAMA_8B, max_replica_count=4, extra_args=["--disable-log-stats"])
