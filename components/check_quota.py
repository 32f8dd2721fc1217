"""Step: checks that the project's quota covers the accelerators that the plan needs."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_quota(project: str, plan: dsl.Input[dsl.Artifact]) -> int:
    """Compare the serving quota of the accelerator in the region with accelerators × replicas, else a fallback's.

    Args:
        project: Project id.
        plan: The serving plan.

    Returns:
        The limit in accelerators; -1: unlimited.
    """
    from pathlib import Path

    from vertex_vllm.planning.plan import ServingPlan
    from vertex_vllm.serving.quota_check import check_quotas
    from vertex_vllm.steps import step

    with step():
        serving_plan = ServingPlan.from_json(Path(plan.path).read_text())
        return check_quotas(project, serving_plan).limit
