"""Sections of a config that say which models and weights are trusted."""

from typing import Annotated, Literal

from pydantic import Field

from vertex_vllm.config import shapes
from vertex_vllm.config.section import PipelineParameter, Section


class Licences(Section):
    """Licences under which a model may be served."""

    allow: Annotated[list[Annotated[str, Field(pattern=shapes.LICENCE)]], PipelineParameter("allowed_licences")] = (
        Field(
            default_factory=list,
            max_length=64,
            description="Licences as model cards name them, for example apache-2.0 or gemma; empty: any.",
        )
    )


class Mirror(Section):
    """How the weights get from the Hub to the bucket."""

    signing_key: str = Field(
        default="",
        pattern=shapes.KEY_VERSION,
        description="Cloud KMS key version that signs the mirror; upload_model verifies it. Default: not signed.",
    )
    pickled_weights: Literal["refuse", "scanned", "any"] = Field(
        default="refuse",
        description="Weights in pickle files: refuse; scanned takes those without dangerous imports; any takes all.",
    )
