"""Labels and names: how a later run, a teardown or a person finds what this project made, from parameters alone."""

import re
from dataclasses import dataclass

MANAGED_BY = "vertex-vllm"
# Label values: at most 63 of [a-z0-9_-] (Google Cloud, "Requirements for labels").
_LABEL_LENGTH = 63


def label_value(text: str) -> str:
    """`text` as a legal label value."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:_LABEL_LENGTH]


@dataclass(frozen=True)
class Owner:
    """What every Model, Endpoint and bucket made by a run is marked with."""

    deployment: str
    run_id: str
    """Name of the pipeline job, or of whatever else made it."""
    config_hash: str = ""

    @property
    def labels(self) -> dict[str, str]:
        marks = {
            "managed-by": MANAGED_BY,
            "vertex-vllm-deployment": label_value(self.deployment),
            "vertex-vllm-run": label_value(self.run_id),
        }
        if self.config_hash:
            marks["vertex-vllm-config"] = label_value(self.config_hash)
        return marks


def model_resource_id(deployment: str) -> str:
    """Id of the Model that holds all versions of one deployment: [a-z0-9_-], at most 63, no leading digit."""
    return label_value(f"vllm-{deployment}")


def endpoint_resource_id(deployment: str, config_hash: str) -> str:
    """Id of the Endpoint that serves one config of a deployment: [a-z0-9-], at most 63, last one a letter or digit.

    An endpoint a config, not one a deployment: a changed config is tried beside the endpoint that serves, and takes
    over by promotion; a repeated run finds its own endpoint again.
    """
    prefix = re.sub(r"[^a-z0-9-]", "-", f"vllm-{deployment}".lower())[: _LABEL_LENGTH - 1 - len(config_hash)]
    return f"{prefix}-{config_hash}"
