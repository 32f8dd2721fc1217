"""Step: tests that the endpoint answers text by each method that its clients use."""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def smoke_test_text(
    endpoint: dsl.Input[VertexEndpoint],
    chat: bool,
    answers: dsl.Output[dsl.Artifact],
    diagnosis: dsl.Output[dsl.Artifact],
    diagnosis_page: dsl.Output[dsl.HTML],
) -> None:
    """Ask by predict and, where the model has a chat template, by chat completions; record each answer.

    Args:
        endpoint: The Endpoint.
        chat: The model has a chat template.
        answers: Requests and answers, JSON.
        diagnosis: Why the endpoint did not answer, JSON; empty if it answered.
        diagnosis_page: The diagnosis as an HTML page.
    """
    from vertex_vllm.diagnosis.failed_step import diagnosed
    from vertex_vllm.inference.smoke import answers_json, smoke_test_text
    from vertex_vllm.steps import step, write_artifact

    with step():
        name = endpoint.metadata["resourceName"]
        with diagnosed(diagnosis.path, diagnosis_page.path, endpoint=name):
            answered = smoke_test_text(name, chat)
        write_artifact(answers.path, answers_json(answered))
