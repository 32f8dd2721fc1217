"""The base of everything that a config is made of."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all parts: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
