"""Part of a pipeline: the model's smoke tests as one group, so that a later step can wait for all of them."""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint
from kfp import dsl

from components.smoke_test_image import smoke_test_image
from components.smoke_test_text import smoke_test_text


@dsl.pipeline(name="smoke-tests")
def smoke_tests(endpoint: dsl.Input[VertexEndpoint], chat: bool, vision: bool) -> None:
    smoke_test_text(endpoint=endpoint, chat=chat).set_caching_options(False)
    with dsl.If(vision == True, name="vision-model"):  # noqa: E712
        smoke_test_image(endpoint=endpoint, chat=chat).set_caching_options(False)
