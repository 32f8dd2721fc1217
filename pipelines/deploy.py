"""Pipeline: from a Hugging Face repo to a tested endpoint; a failed run deletes everything that it created."""

from kfp import dsl

from components.check_quota import check_quota
from components.deploy_model import deploy_model
from components.evaluate_endpoint import evaluate_endpoint
from components.lock_deployment import lock_deployment
from components.mirror_weights import mirror_weights
from components.plan_serving import plan_serving
from components.promote_endpoint import promote_endpoint
from components.setup_bucket import setup_bucket
from components.teardown_run import teardown_run
from components.upload_model import upload_model
from components.validate_hf_token import validate_hf_token
from pipelines.by_name import by_name
from pipelines.smoke_tests import smoke_tests


# Parameters project to ttl: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.pipeline(name="deploy")
def deploy(
    project: str,
    deployment: str,
    model_id: str,
    revision: str = "main",
    region: str = "us-central1",
    bucket: str = "",
    serving_service_account: str = "",
    hf_token_secret: str = "",
    machine_type: str = "",
    accelerator_type: str = "",
    accelerator_count: int = 0,
    image: str = "",
    max_model_len: int = 0,
    max_num_seqs: int = 0,
    gpu_memory_utilization: float = 0.9,
    dtype: str = "auto",
    trust_remote_code: bool = False,
    tools: bool = False,
    forbid_advisories: bool = False,
    media_domains: list = [],
    extra_args: list = [],
    min_replica_count: int = 1,
    max_replica_count: int = 1,
    fallbacks: list = [],
    spot: bool = False,
    flex_start_hours: int = 0,
    dedicated_endpoint: bool = True,
    request_timeout_seconds: int = 1800,
    deployment_timeout_seconds: int = 7200,
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
    allowed_licences: list = [],
    signing_key: str = "",
    pickled_weights: str = "refuse",
    keep_endpoint: bool = True,
    owner: str = "",
    ttl: str = "",
) -> None:
    """Take an open model from Hugging Face to a tested vLLM endpoint on Vertex AI.

    Args:
        project: Project id.
        deployment: Name of the deployment: in names and labels of all that its runs create.
        model_id: Hugging Face repo, owner/name.
        revision: Branch, tag or commit of the repo.
        region: Region of endpoint, model and bucket.
        bucket: Bucket for weights and measurements. Default: PROJECT-vertex-vllm-REGION, made if missing.
        serving_service_account: Service account of the container. Default: the project's vertex-vllm-serving.
        hf_token_secret: Secret Manager version with the Hub token, projects/P/secrets/S/versions/V; empty: anonymous.
        machine_type: Vertex AI machine type. Default: the planner's choice.
        accelerator_type: Accelerator, as in Vertex AI's AcceleratorType. Default: the machine's.
        accelerator_count: Accelerators per replica. 0: all of the machine.
        image: Container image with vLLM. Default: the planner's choice.
        max_model_len: Longest prompt and answer together, in tokens. 0: the model's, else the longest that is useful.
        max_num_seqs: Sequences that vLLM works on at once. 0: the planner's choice.
        gpu_memory_utilization: Share of each accelerator's memory that vLLM may take, 0 to 0.99.
        dtype: Number format that the weights are computed in. auto: the model's own.
        trust_remote_code: Run the repo's own Python code, which some models need; revision must then be a commit.
        tools: Answer with tool calls, read by the parser of the model's family; thoughts are separated too.
        forbid_advisories: Refuse an image whose vLLM has a known security advisory that touches the model.
        media_domains: Hosts of pictures that requests may name; empty: any. Needs a vLLM that can restrict them.
        extra_args: Further vLLM arguments, for example --enable-lora; they override the planner's.
        min_replica_count: Replicas that always run.
        max_replica_count: Most replicas; the quota must cover them.
        fallbacks: REGION/MACHINE_TYPE to deploy to, in this order, when the machine is out of stock.
        spot: Cheaper machines that Google may take back at any time.
        flex_start_hours: Hours on cheaper flex-start machines; then Vertex AI undeploys the model. 0: ordinary ones.
        dedicated_endpoint: Endpoint with a DNS name of its own: longer requests, larger payloads, streaming.
        request_timeout_seconds: Longest time for one request on a dedicated endpoint.
        deployment_timeout_seconds: Longest time until the container must be healthy.
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
        allowed_licences: Licences as model cards name them, for example apache-2.0 or gemma; empty: any.
        signing_key: Cloud KMS key version that signs the mirror; upload_model verifies it. Default: not signed.
        pickled_weights: Weights in pickle files: refuse; scanned takes those without dangerous imports; any takes all.
        keep_endpoint: Keep the endpoint when the run succeeds. false: it is torn down after the evaluation.
        owner: Team or person who answers for the deployment: a label on all that its runs create.
        ttl: Lifetime of all that a run creates, for example 8h or 7d; then a sweep removes it. Default: for ever.
    """
    # Before any other variable: locals() are the parameters alone.
    parameters = dict(locals())
    run = dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER
    run_id = dsl.PIPELINE_JOB_NAME_PLACEHOLDER
    run_started = dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER
    cleanup = teardown_run(
        project=project,
        region=region,
        fallbacks=fallbacks,
        bucket=bucket,
        deployment=deployment,
        run_id=run_id,
        keep_endpoint=keep_endpoint,
    ).set_caching_options(False)
    with dsl.ExitHandler(cleanup, name="run"):
        access = validate_hf_token(
            model_id=model_id,
            revision=revision,
            hf_token_secret=hf_token_secret,
            allowed_licences=allowed_licences,
        ).set_caching_options(False)
        planned = by_name(plan_serving, parameters, commit=access.output).set_caching_options(False)
        quota = check_quota(project=project, plan=planned.outputs["plan"]).set_caching_options(False)
        # Nothing is created before all checks that cost nothing have passed.
        bucket_ready = (
            setup_bucket(
                project=project,
                region=region,
                bucket=bucket,
                deployment=deployment,
                run_id=run_id,
                serving_service_account=serving_service_account,
                owner=owner,
            )
            .after(quota)
            .set_caching_options(False)
        )
        # Two runs may mirror at once, but not upload and deploy.
        locked = lock_deployment(
            project=project,
            bucket=bucket_ready.output,
            deployment=deployment,
            run=run,
        ).set_caching_options(False)
        mirrored = mirror_weights(
            project=project,
            run=run,
            model_id=model_id,
            commit=access.output,
            hf_token_secret=hf_token_secret,
            bucket=bucket_ready.output,
            trust_remote_code=trust_remote_code,
            signing_key=signing_key,
            pickled_weights=pickled_weights,
        ).set_caching_options(False)
        uploaded = (
            upload_model(
                project=project,
                run_id=run_id,
                run_started=run_started,
                owner=owner,
                ttl=ttl,
                signing_key=signing_key,
                model_uri=mirrored.outputs["Output"],
                manifest=mirrored.outputs["manifest"],
                plan=planned.outputs["plan"],
            )
            .after(locked)
            .set_caching_options(False)
        )
        deployed = deploy_model(
            project=project,
            run=run,
            run_id=run_id,
            run_started=run_started,
            owner=owner,
            ttl=ttl,
            serving_service_account=serving_service_account,
            model_uri=mirrored.outputs["Output"],
            manifest=mirrored.outputs["manifest"],
            plan=planned.outputs["plan"],
            model=uploaded.outputs["model"],
        ).set_caching_options(False)
        answering = smoke_tests(
            endpoint=deployed.outputs["endpoint"], chat=planned.outputs["chat"], vision=planned.outputs["vision"]
        )
        evaluated = (
            by_name(
                evaluate_endpoint,
                parameters,
                run=run,
                chat=planned.outputs["chat"],
                endpoint=deployed.outputs["endpoint"],
            )
            .after(answering)
            .set_caching_options(False)
        )
        # An endpoint that is torn down with its run must not replace the live one.
        with dsl.If(keep_endpoint == True, name="kept"):  # noqa: E712  # a condition for the spec
            promote_endpoint(
                project=project,
                region=region,
                fallbacks=fallbacks,
                deployment=deployment,
                run_id=run_id,
                manifest=mirrored.outputs["manifest"],
                model=deployed.outputs["served"],
                endpoint=deployed.outputs["endpoint"],
            ).after(evaluated).set_caching_options(False)
