"""Calls a step with the pipeline's parameters of the same names: the fields of a config have one name everywhere."""

from collections.abc import Mapping
from typing import Any

from kfp.dsl import PipelineTask
from kfp.dsl.base_component import BaseComponent


def by_name(step: BaseComponent, parameters: Mapping[str, Any], **others: Any) -> PipelineTask:
    """Calls `step` with `others`, and each of its other inputs with the entry of `parameters` that has its name.

    Raises TypeError for an input that neither has.
    """
    inputs = step.component_spec.inputs or {}
    same = {name: parameters[name] for name in inputs if name in parameters and name not in others}
    return step(**same, **others)
