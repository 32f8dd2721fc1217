"""Labels and names by which later runs, teardown and people find what this project created, from parameters alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

MANAGED_BY_LABEL = "managed-by"
MANAGED_BY = "vertex-vllm"
DEPLOYMENT_LABEL = "vertex-vllm-deployment"
RUN_LABEL = "vertex-vllm-run"
CONFIG_LABEL = "vertex-vllm-config"
"""Of Models, Endpoints and runs: `Deployment.config_hash`."""
PIPELINE_LABEL = "vertex-vllm-pipeline"
COMMIT_LABEL = "vertex-vllm-commit"
"""Of runs that CI submitted: commit of the config."""
SCHEDULE_LABEL = "vertex-vllm-schedule"
SCHEDULE_HASH_LABEL = "vertex-vllm-schedule-hash"
OPERATION_LABEL = "vertex-vllm-operation"
"""Of an endpoint: id of the deploy operation that began last."""
OWNER_LABEL = "vertex-vllm-owner"
EXPIRES_LABEL = "vertex-vllm-expires"
"""Seconds since 1970, UTC: a moment as a label value may be written, and compared without a time zone."""
NEVER = "never"
"""Value of the expiry label without an expiry; written, because a version without the label shows its Model's."""
KEEP_LABEL = "vertex-vllm-keep"
"""Set by a person, to any value: no sweep removes a resource with it."""
IMAGE_TAG_LABEL = "vertex-vllm-image-tag"
"""Of a Model version: the tag that pointed at its image's digest; empty: none did."""
STAGE_LABEL = "vertex-vllm-stage"
LIVE = "live"
"""Value of the stage label, and alias of a model version: the endpoint and version that callers should use."""
SUPERSEDED = "superseded"
NO_EXPERIMENT = "none"
_EXPERIMENT_LENGTH = 4
# Label values: at most 63 of [a-z0-9_-] (Google Cloud, "Requirements for labels").
_LABEL_LENGTH = 63


def label_value(text: str) -> str:
    """`text` as a legal label value."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:_LABEL_LENGTH]


def experiment_id(named: str, deployment: str) -> str:
    """Id of the Vertex experiment that records evaluations; empty: none does.

    `named`: as `evaluation.experiment` of the config says. Ids have at least 4 characters (`CreateContextRequest`).
    """
    if named == NO_EXPERIMENT or not (named or deployment):
        return ""
    return named or (deployment if len(deployment) >= _EXPERIMENT_LENGTH else f"{deployment}-evaluations")


@dataclass(frozen=True)
class Owner:
    """The marks of every Model, Endpoint and bucket that a run creates."""

    deployment: str
    run_id: str
    """Name of the pipeline job or other run that created it."""
    config_hash: str = ""
    """Of the plan that it serves; empty: it belongs to no plan."""
    responsible: str = ""
    """Team or person who answers for it, as the config's `owner` says."""
    expires: datetime | None = None
    """When a sweep may remove it; None: never."""

    @property
    def labels(self) -> dict[str, str]:
        marks = {
            MANAGED_BY_LABEL: MANAGED_BY,
            DEPLOYMENT_LABEL: label_value(self.deployment),
            RUN_LABEL: label_value(self.run_id),
            CONFIG_LABEL: label_value(self.config_hash),
            OWNER_LABEL: label_value(self.responsible),
            EXPIRES_LABEL: str(int(self.expires.timestamp())) if self.expires else NEVER,
        }
        return {key: value for key, value in marks.items() if value}


@dataclass(frozen=True)
class Marks:
    """The values of our labels on a resource; empty where a label is missing."""

    deployment: str
    run: str
    config_hash: str
    responsible: str
    expires: datetime | None
    """None without a readable label: such a resource does not expire."""
    keep: bool

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Self:
        return cls(
            deployment=labels.get(DEPLOYMENT_LABEL, ""),
            run=labels.get(RUN_LABEL, ""),
            config_hash=labels.get(CONFIG_LABEL, ""),
            responsible=labels.get(OWNER_LABEL, ""),
            expires=_moment(labels.get(EXPIRES_LABEL, "")),
            keep=KEEP_LABEL in labels,
        )


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether the labels say that this project made it."""
    return labels.get(MANAGED_BY_LABEL) == MANAGED_BY


def belongs(labels: Mapping[str, str], deployment: str, run_id: str = "") -> bool:
    """Whether the labels name this project, that deployment, and that run if one is given."""
    return (
        is_ours(labels)
        and labels.get(DEPLOYMENT_LABEL) == label_value(deployment)
        and (not run_id or labels.get(RUN_LABEL) == label_value(run_id))
    )


def is_of_a_deployment(labels: Mapping[str, str]) -> bool:
    """Whether the labels name this project and some deployment."""
    return belongs(labels, labels.get(DEPLOYMENT_LABEL, "-"))


def extended(labels: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """`labels` with the later of the two expiry times.

    A run that reuses a resource relies on it as much as the run that created it.
    """
    there, asked = Marks.of(labels).expires, Marks.of(wanted).expires
    longer = there is not None and (asked is None or asked > there)
    return {**labels, **({EXPIRES_LABEL: wanted[EXPIRES_LABEL]} if longer else {})}


def _moment(seconds: str) -> datetime | None:
    # Ten digits reach to the year 2286; a longer number is not ours.
    return datetime.fromtimestamp(int(seconds), UTC) if re.fullmatch(r"[0-9]{1,10}", seconds) else None


def model_resource_id(deployment: str) -> str:
    """Id of the Model that holds all versions of one deployment: [a-z0-9_-], at most 63, no leading digit."""
    return label_value(f"vllm-{deployment}")


def endpoint_resource_id(deployment: str, served_id: str) -> str:
    """Id of the Endpoint that serves one plan (`ServingPlan.served_id`) of a deployment.

    Letters, digits and hyphens, at most 63, the last one a letter or digit. Each plan has an endpoint of its own: a
    changed config is tried beside the endpoint that serves, and takes over by promotion; a repeated run finds its own
    endpoint again.
    """
    prefix = re.sub(r"[^a-z0-9-]", "-", f"vllm-{deployment}".lower())[: _LABEL_LENGTH - 1 - len(served_id)]
    return f"{prefix}-{served_id}"
