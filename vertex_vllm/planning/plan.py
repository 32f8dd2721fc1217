"""`ServingPlan`: everything that upload, deploy, smoke tests and the quota check need to know, decided once."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from vertex_vllm.planning.measurement import Throughput
from vertex_vllm.planning.memory.account import MemoryAccount
from vertex_vllm.planning.memory.estimate import Verdict
from vertex_vllm.planning.offers import Offer

# Fields that explain the plan and do not affect what is served: left out of the config hash.
_EXPLANATORY = (
    "config_hash",
    *("reasons", "verdict", "usd_per_hour", "throughput", "requests", "concurrency", "load", "slo", "memory"),
    # The image's digest says what is served.
    *("alternatives", "fallbacks", "start_seconds", "warnings", "image_tag"),
)


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
    """A way to serve one model, with the reason for each choice."""

    deployment: str
    config_hash: str
    """Hash of the config that this plan is made for: `Deployment.config_hash`."""
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
    """By digest once the step plan_serving has asked the registry; the catalogue knows tags."""
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
    """The model has a chat template, so it answers chat completions."""
    quota: QuotaNeed
    reasons: dict[str, str]
    """Field of this plan → why it has its value, for people."""
    verdict: Verdict = "uncertain"
    """Whether the model fits the machine."""
    usd_per_hour: float | None = None
    """Of one replica: Compute Engine's list price in this region; None: no dated source."""
    throughput: Throughput | None = None
    """Throughput that an evaluation measured on this machine; None: never measured."""
    requests: int | None = None
    """Requests of `max_model_len` that the cache holds at once, at worst; None: not known."""
    concurrency: int = 0
    """Requests at once that room was asked for."""
    load: str = ""
    """Lengths of prompts and answers of the evaluation's load, in words."""
    slo: str = ""
    """The SLO whose highest rate the evaluation searches, in words; empty: it searches none."""
    memory: MemoryAccount | None = None
    """None: the plan was made without an account."""
    alternatives: tuple[Offer, ...] = ()
    """The other machines of the region, the best first, each with why it was not taken."""
    start_seconds: dict[str, float] = field(default_factory=dict)
    """Phase of the container's start → seconds expected (`start_time`); empty: not estimated."""
    warnings: tuple[str, ...] = ()
    """Facts to know before the plan runs; none of them forbids it."""
    image_tag: str = ""
    """The tag that pointed at the image's digest; empty: it was named by digest, or is not asked for yet."""
    flex_start_hours: int = 0
    """Hours until Vertex AI undeploys the model from flex-start machines; 0: other machines."""
    fallbacks: tuple["ServingPlan", ...] = ()
    """Plans to use, in this order, when the machine is out of stock; each a plan of its own, without fallbacks."""

    @property
    def preemptible(self) -> bool:
        """Whether its accelerators count against the preemptible quota."""
        return self.spot or bool(self.flex_start_hours)

    @property
    def served_id(self) -> str:
        """The config's hash and six hexadecimal digits of the decisions, reasons left out.

        Endpoint and Model version are named with it: one config makes another plan when the model's commit, the
        catalogue or the place changes.
        """
        decided: dict[str, Any] = asdict(self)
        for each in fields(self):
            # A new field has a default, so plans from before it keep their hash, and with it their endpoints.
            if each.name in _EXPLANATORY or decided[each.name] == each.default:
                del decided[each.name]
        return f"{self.config_hash}-{hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:6]}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls._from_fields(json.loads(text))

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> Self:
        memory, throughput = fields.get("memory"), fields.get("throughput")
        return cls(
            **{
                **fields,
                "args": tuple(fields["args"]),
                "warnings": tuple(fields.get("warnings", ())),
                "quota": QuotaNeed(**fields["quota"]),
                "throughput": Throughput.from_fields(throughput) if throughput else None,
                "memory": MemoryAccount.from_fields(memory) if memory else None,
                "alternatives": tuple(map(Offer.from_fields, fields.get("alternatives", ()))),
                "fallbacks": tuple(map(cls._from_fields, fields.get("fallbacks", ()))),
            }
        )
