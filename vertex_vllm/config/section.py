"""Base of the sections of a config, and the marks of fields whose pipeline parameter differs from them."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all sections: unknown fields are refused, and values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class PipelineParameter:
    """Mark of a field whose pipeline parameter differs from it; a field without a mark has the parameter's name."""

    name: str = ""
    """Empty: the field's name."""
    description: str = ""
    """Empty: the field's description."""


NOT_A_PARAMETER = "not a parameter of a pipeline"
"""Mark of a field that no pipeline is given."""
