"""Pipeline: measures the quality and speed of an existing endpoint."""

from kfp import dsl

from components.evaluate_endpoint import evaluate_endpoint
from components.find_endpoint import find_endpoint
from components.smoke_test_text import smoke_test_text
from pipelines.by_name import by_name


# Parameters project to min_tokens_per_second: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.pipeline(name="evaluate")
def evaluate(
    project: str,
    deployment: str,
    endpoint: str,
    chat: bool = True,
    concurrency: int = 4,
    suite: str = "text",
    suite_items: int = 0,
    suite_levels: list = [],
    baseline: str = "promoted",
    allowed_regression: float = 0.05,
    allowed_changed_answers: float = 0.1,
    confidence: float = 0.95,
    max_requests: int = 0,
    max_tokens: int = 0,
    max_minutes: float = 60.0,
    max_usd: float = 0.0,
    experiment: str = "",
    load_rate: float = 0.0,
    load_profile: str = "short",
    load_prompt_tokens: str = "",
    load_answer_tokens: str = "",
    load_trace: str = "",
    slo_time_to_first_token_seconds: float = 0.0,
    slo_inter_token_latency_seconds: float = 0.0,
    slo_end_to_end_seconds: float = 0.0,
    slo_percentile: float = 95.0,
    find_highest_rate: bool = False,
    load_requests: int = 0,
    load_max_minutes: float = 30.0,
    min_exact_match: float = 0.0,
    max_p95_time_to_first_token_seconds: float = 0.0,
    min_tokens_per_second: float = 0.0,
) -> None:
    """Smoke-test and evaluate an existing endpoint.

    Args:
        project: Project id.
        deployment: Name of the deployment: in names and labels of all that its runs create.
        endpoint: Endpoint to evaluate, projects/P/locations/REGION/endpoints/ID.
        chat: Ask by chat completions; false for a model without chat template.
        concurrency: Questions sent at once; the planner leaves room in the cache for as many full requests.
        suite: Questions: text, image, text-and-image, text-small, image-small, a YAML file or gs:// of one.
        suite_items: Questions of the suite that are asked. 0: all.
        suite_levels: Difficulty levels that are asked, 1 for 135M parameters to 4 for 70B; empty: all.
        baseline: Run to compare answers with: promoted (the deployment's last), none, or gs:// of a result.
        allowed_regression: Share of right answers that may be lost against the baseline, 0 to 1.
        allowed_changed_answers: Share of answers that may change if the baseline has the same commit, 0 to 1. 1: any.
        confidence: Confidence of the comparison, 0.5 to 0.9999.
        max_requests: Questions and load end after so many requests. 0: never.
        max_tokens: Questions and load end after so many tokens of prompts and answers. 0: never.
        max_minutes: Questions and load end after so many minutes. 0: never.
        max_usd: Questions and load end when the machine has cost so many US dollars. 0: never.
        experiment: Vertex experiment that records the evaluation; empty: the deployment's name; none: not recorded.
        load_rate: Requests per second, at random moments. 0: evaluation.concurrency requests at a time.
        load_profile: Lengths of prompts and answers: short, conversation, coding.
        load_prompt_tokens: Lengths of prompts, for example uniform(64, 512). Default: the profile's.
        load_answer_tokens: Lengths of answers, for example lognormal(129, 0.8, 4, 1024). Default: the profile's.
        load_trace: gs:// object with recorded lengths and arrivals, which replaces the profile.
        slo_time_to_first_token_seconds: Longest time to the first token, in seconds, at the SLO's percentile. 0: any.
        slo_inter_token_latency_seconds: Longest mean time of a further token, in seconds, at that percentile. 0: any.
        slo_end_to_end_seconds: Longest time of a whole answer, in seconds, at that percentile. 0: any.
        slo_percentile: Percentage of the requests that must keep every limit, 50 to 99.9.
        find_highest_rate: Search the highest rate that keeps the SLO, and the rate of saturation.
        load_requests: Requests to measure. 0: as many as the gated percentile needs, at least 3 times the concurrency.
        load_max_minutes: The load ends after so many minutes; its figures then cover the requests so far.
        min_exact_match: Least share of right answers, 0 to 1.
        max_p95_time_to_first_token_seconds: Longest 95th percentile of the time to the first token, in seconds. 0: any.
        min_tokens_per_second: Least median of output tokens per second of one answer. 0: any.
    """
    # Before any other variable: locals() are the parameters alone.
    parameters = dict(locals())
    found = find_endpoint(endpoint_name=endpoint).set_caching_options(False)
    answering = smoke_test_text(endpoint=found.outputs["endpoint"], chat=chat).set_caching_options(False)
    by_name(
        evaluate_endpoint,
        parameters,
        run=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        endpoint=found.outputs["endpoint"],
    ).after(answering).set_caching_options(False)
