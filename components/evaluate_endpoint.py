"""Step: how good and how fast is the endpoint, and is that enough?"""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint
from kfp import dsl

from components.image import IMAGE


# Parameters concurrency to min_tokens_per_second: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_endpoint(
    deployment: str,
    run: str,
    chat: bool,
    concurrency: int,
    load_rate: float,
    load_profile: str,
    load_prompt_tokens: str,
    load_answer_tokens: str,
    load_trace: str,
    slo_time_to_first_token_seconds: float,
    slo_inter_token_latency_seconds: float,
    slo_end_to_end_seconds: float,
    slo_percentile: float,
    find_highest_rate: bool,
    load_requests: int,
    load_max_minutes: float,
    min_exact_match: float,
    max_p95_time_to_first_token_seconds: float,
    min_tokens_per_second: float,
    endpoint: dsl.Input[VertexEndpoint],
    metrics: dsl.Output[dsl.Metrics],
    evaluation: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    diagnosis: dsl.Output[dsl.Artifact],
    diagnosis_page: dsl.Output[dsl.HTML],
) -> None:
    """Ask the question set that ships with the project; fail, with the report written, when a threshold is missed.

    The throughput is written down beside the weights in Cloud Storage, for later plans.

    Args:
        deployment: Name of the deployment, for the report's title.
        run: Pipeline job, projects/P/locations/REGION/pipelineJobs/ID: its cancellation ends the step.
        chat: The model has a chat template.
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
        endpoint: The Endpoint.
        metrics: The figures, for the console.
        evaluation: The figures and every answer, JSON.
        report: The same for people, with plots.
        diagnosis: Why the endpoint did not answer, JSON; empty where it did.
        diagnosis_page: The same for people.
    """
    from vertex_vllm.diagnosis.failed_step import diagnosed
    from vertex_vllm.evaluation.evaluate import Thresholds, evaluate_endpoint, metrics_of
    from vertex_vllm.evaluation.evaluation_report import render
    from vertex_vllm.evaluation.gates import require
    from vertex_vllm.evaluation.measurement_store import record_throughput
    from vertex_vllm.steps import step, write_artifact

    with step(run):
        thresholds = Thresholds(min_exact_match, max_p95_time_to_first_token_seconds, min_tokens_per_second)
        name = endpoint.metadata["resourceName"]
        with diagnosed(diagnosis.path, diagnosis_page.path, run, name):
            result = evaluate_endpoint(name, chat, thresholds, deployment, concurrency)
        for name, value in metrics_of(result).items():
            metrics.log_metric(name, value)
        write_artifact(evaluation.path, result.to_json())
        write_artifact(report.path, render(result))
        record_throughput(result)
        require(result)
