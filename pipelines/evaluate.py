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
    """Smoke-test and evaluate an endpoint that exists.

    Args:
        project: Project id.
        deployment: Name of the deployment, on everything it makes.
        endpoint: Endpoint to evaluate, projects/P/locations/REGION/endpoints/ID.
        chat: Ask by chat completions; false for a model without chat template.
        concurrency: Questions under way at once; the plan gives the cache room for as many full requests.
        load_rate: Requests per second, at random moments; 0: as many at once as evaluation.concurrency says.
        load_profile: Lengths of prompts and answers: short, conversation, coding.
        load_prompt_tokens: Lengths of prompts, for example uniform(64, 512). Default: the profile's.
        load_answer_tokens: Lengths of answers, for example lognormal(129, 0.8, 4, 1024). Default: the profile's.
        load_trace: gs:// object with recorded lengths and arrivals, in the place of the profile.
        slo_time_to_first_token_seconds: Longest time to the first token, in seconds, at the SLO's percentile. 0: any.
        slo_inter_token_latency_seconds: Longest mean time of a further token, in seconds, at that percentile. 0: any.
        slo_end_to_end_seconds: Longest time of a whole answer, in seconds, at that percentile. 0: any.
        slo_percentile: Percentile of the requests that must keep each limit, 50 to 99.9.
        find_highest_rate: Search the highest rate that keeps the SLO, and the rate of saturation.
        load_requests: Requests that are measured. 0: as many as the gated percentile needs, else 3 for each at once.
        load_max_minutes: The load ends after so many minutes, with what it knows by then.
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
        load_rate=load_rate,
        load_profile=load_profile,
        load_prompt_tokens=load_prompt_tokens,
        load_answer_tokens=load_answer_tokens,
        load_trace=load_trace,
        slo_time_to_first_token_seconds=slo_time_to_first_token_seconds,
        slo_inter_token_latency_seconds=slo_inter_token_latency_seconds,
        slo_end_to_end_seconds=slo_end_to_end_seconds,
        slo_percentile=slo_percentile,
        find_highest_rate=find_highest_rate,
        load_requests=load_requests,
        load_max_minutes=load_max_minutes,
        min_exact_match=min_exact_match,
        max_p95_time_to_first_token_seconds=max_p95_time_to_first_token_seconds,
        min_tokens_per_second=min_tokens_per_second,
        endpoint=found.outputs["endpoint"],
    ).after(answering).set_caching_options(False)
