"""Step: measures the quality and speed of the endpoint, and compares them with the gates."""

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
    suite: str,
    suite_items: int,
    suite_levels: list,
    baseline: str,
    allowed_regression: float,
    allowed_changed_answers: float,
    confidence: float,
    max_requests: int,
    max_tokens: int,
    max_minutes: float,
    max_usd: float,
    experiment: str,
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
    """Ask a suite of questions and compare with the last promoted run; fail, with the report written, on a regression.

    The result and the throughput are kept beside the weights in Cloud Storage, for later runs and plans.

    Args:
        deployment: Name of the deployment, for the report's title.
        run: Pipeline job, projects/P/locations/REGION/pipelineJobs/ID: its cancellation ends the step.
        chat: The model has a chat template.
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
        endpoint: The Endpoint.
        metrics: The figures, for the console.
        evaluation: The figures and every answer, JSON.
        report: The figures and answers as an HTML page with plots.
        diagnosis: Why the endpoint did not answer, JSON; empty if it answered.
        diagnosis_page: The diagnosis as an HTML page.
    """
    from vertex_vllm.diagnosis.failed_step import diagnosed
    from vertex_vllm.evaluation.comparison import Terms
    from vertex_vllm.evaluation.evaluate import Thresholds, metrics_of, require_answers
    from vertex_vllm.evaluation.evaluated_run import Order, evaluate_run, keep_result
    from vertex_vllm.evaluation.evaluation_report import render
    from vertex_vllm.evaluation.experiment_run import record_experiment_run
    from vertex_vllm.evaluation.gates import require
    from vertex_vllm.evaluation.limits import Limits
    from vertex_vllm.evaluation.measurement_store import record_throughput
    from vertex_vllm.evaluation.model_evaluation import import_evaluation
    from vertex_vllm.evaluation.result import to_json
    from vertex_vllm.labels import experiment_id
    from vertex_vllm.load.load_settings import LoadSettings
    from vertex_vllm.load.slo import Slo
    from vertex_vllm.steps import step, write_artifact

    with step(run):
        order = Order(
            suite=suite,
            items=suite_items,
            levels=suite_levels,
            baseline=baseline,
            concurrency=concurrency,
            terms=Terms(allowed_regression, allowed_changed_answers, confidence),
            limits=Limits(max_requests, max_tokens, max_minutes, max_usd),
            thresholds=Thresholds(min_exact_match, max_p95_time_to_first_token_seconds, min_tokens_per_second),
            load=LoadSettings(
                rate=load_rate,
                concurrency=concurrency,
                profile=load_profile,
                prompt_tokens=load_prompt_tokens,
                answer_tokens=load_answer_tokens,
                trace=load_trace,
                requests=load_requests,
                slo=Slo(
                    slo_time_to_first_token_seconds,
                    slo_inter_token_latency_seconds,
                    slo_end_to_end_seconds,
                    slo_percentile,
                ),
                find_highest_rate=find_highest_rate,
                most_minutes=load_max_minutes,
                gated_percentile=95.0 if max_p95_time_to_first_token_seconds else 0.0,
            ),
        )
        name = endpoint.metadata["resourceName"]
        with diagnosed(diagnosis.path, diagnosis_page.path, run, name):
            result = evaluate_run(name, chat, deployment, run, order)
            for figure, value in metrics_of(result).items():
                metrics.log_metric(figure, value)
            write_artifact(evaluation.path, to_json(result))
            write_artifact(report.path, render(result))
            require_answers(result)
        record_throughput(result)
        kept = keep_result(result)
        import_evaluation(result, kept)
        record_experiment_run(result, experiment_id(experiment, deployment), kept)
        require(result)
