"""Pipeline: how good and how fast is an endpoint that exists?"""

from kfp import dsl

from components.evaluate_endpoint import evaluate_endpoint
from components.find_endpoint import find_endpoint
from components.smoke_test_text import smoke_test_text


# Parameters project to min_tokens_per_second: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.pipeline(name="evaluate")
def evaluate(
    project: str,
    deployment: str,
    endpoint: str,
    chat: bool = True,
    concurrency: int = 4,
    min_exact_match: float = 0.0,
    max_p95_time_to_first_token_seconds: float = 0.0,
    min_tokens_per_second: float = 0.0,
) -> None:
    """Smoke-test and evaluate an endpoint that exists.

    Args:
        project: Project id.
        deployment: Name of the deployment, on everything it makes.
        endpoint: Endpoint to evaluate, projects/P/locations/REGION/endpoints/ID.
        chat: Ask by chat completions; false for a model without chat template.
        concurrency: Questions under way at once; the plan gives the cache room for as many full requests.
        min_exact_match: Least share of right answers, 0 to 1.
        max_p95_time_to_first_token_seconds: Longest 95th percentile of the time to the first token, in seconds. 0: any.
        min_tokens_per_second: Least median of output tokens per second of one answer. 0: any.
    """
    found = find_endpoint(endpoint_name=endpoint).set_caching_options(False)
    answering = smoke_test_text(endpoint=found.outputs["endpoint"], chat=chat).set_caching_options(False)
    evaluate_endpoint(
        deployment=deployment,
        run=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        chat=chat,
        concurrency=concurrency,
        min_exact_match=min_exact_match,
        max_p95_time_to_first_token_seconds=max_p95_time_to_first_token_seconds,
        min_tokens_per_second=min_tokens_per_second,
        endpoint=found.outputs["endpoint"],
    ).after(answering).set_caching_options(False)
