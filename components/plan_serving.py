"""Step: machine, image and vLLM arguments for this model, decided from facts, with the reason for each."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_serving(
    project: str,
    region: str,
    deployment: str,
    model_id: str,
    commit: str,
    hf_token_secret: str,
    settings: dict,
    plan: dsl.Output[dsl.Artifact],
) -> NamedTuple("Outputs", [("vision", bool), ("chat", bool)]):
    pass
