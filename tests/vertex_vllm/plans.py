"""Whole plans for tests: every field has a value, and a test names those that it is about."""

from typing import Any

from vertex_vllm.planning.plan import QuotaNeed, ServingPlan


def serving_plan(**changes: Any) -> ServingPlan:
    """Llama 3.1 8B on one L4, with `changes`; the quota follows accelerator, count, replicas, spot and region."""
    fields: dict[str, Any] = {
        "deployment": "llama-8b",
        "config_hash": "0123456789",
        "model_id": "meta-llama/Llama-3.1-8B-Instruct",
        "commit": "0e9e39f249a16976918f6564b8830bc894c89659",
        "region": "us-central1",
        "machine_type": "g2-standard-12",
        "accelerator_type": "NVIDIA_L4",
        "accelerator_count": 1,
        "spot": False,
        "min_replica_count": 1,
        "max_replica_count": 1,
        "image": "registry.example.com/vllm:1",
        "vllm_version": "0.9.2",
        "args": ("python", "-m", "vllm.entrypoints.api_server", "--port=8080", "--max-model-len=4096"),
        "port": 8080,
        "predict_route": "/generate",
        "health_route": "/ping",
        "shared_memory_mb": 16384,
        "deployment_timeout_seconds": 7200,
        "dedicated_endpoint": True,
        "request_timeout_seconds": 1800,
        "max_model_len": 4096,
        "vision": False,
        "chat": True,
        "reasons": {},
        **changes,
    }
    return ServingPlan(**{"quota": _quota(fields), **fields})


def _quota(fields: dict[str, Any]) -> QuotaNeed:
    accelerator = fields["accelerator_type"].removeprefix("NVIDIA_").removeprefix("TESLA_") or "L4"
    count = fields["accelerator_count"] or 1
    quota = f"CustomModelServing{'Preemptible' if fields['spot'] else ''}{accelerator}GPUsPerProjectPerRegion"
    return QuotaNeed(quota, fields["region"], count * fields["max_replica_count"], count * fields["min_replica_count"])
