"""`ServingPlan`: everything that upload, deploy, smoke tests and the quota check need to know, decided once."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class QuotaNeed:
    """Accelerators that the deployment may hold at once in one region."""

    quota_id: str
    """Cloud Quotas id, for example `CustomModelServingL4GPUsPerProjectPerRegion`."""
    region: str
    accelerators: int
    """Accelerators per replica × replicas at most."""
    minimum: int
    """Accelerators per replica × replicas at least: below this nothing can start."""


@dataclass(frozen=True)
class ServingPlan:
    """One way to serve one model, with the reason for each choice."""

    deployment: str
    model_id: str
    commit: str
    region: str
    machine_type: str
    accelerator_type: str
    """Name in the Vertex `AcceleratorType` enum."""
    accelerator_count: int
    spot: bool
    min_replica_count: int
    max_replica_count: int
    image: str
    vllm_version: str
    args: tuple[str, ...]
    """The container's args, from `python -m vllm…` on, all but `--model`: the mirror decides that one."""
    port: int
    predict_route: str
    health_route: str
    shared_memory_mb: int
    deployment_timeout_seconds: int
    dedicated_endpoint: bool
    request_timeout_seconds: int
    max_model_len: int
    vision: bool
    chat: bool
    """The model has a chat template, so chat completions can be asked of it."""
    quota: QuotaNeed
    reasons: dict[str, str]
    """Field of this plan → why it has its value, for people."""

    @property
    def config_hash(self) -> str:
        """Ten hexadecimal digits that change whenever what would be served changes; reasons do not count."""
        decided: dict[str, Any] = asdict(self)
        del decided["reasons"]
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:10]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        fields["args"] = tuple(fields["args"])
        fields["quota"] = QuotaNeed(**fields["quota"])
        return cls(**fields)
