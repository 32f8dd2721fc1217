"""Step: chooses machine, image and vLLM arguments for the model, with the reason for each choice."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


# Parameters project to ttl: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_serving(
    commit: str,
    suite: str,
    suite_items: int,
    suite_levels: list,
    baseline: str,
    allowed_regression: float,
    confidence: float,
    project: str,
    deployment: str,
    model_id: str,
    revision: str,
    region: str,
    bucket: str,
    hf_token_secret: str,
    machine_type: str,
    accelerator_type: str,
    accelerator_count: int,
    image: str,
    max_model_len: int,
    max_num_seqs: int,
    gpu_memory_utilization: float,
    dtype: str,
    trust_remote_code: bool,
    tools: bool,
    forbid_advisories: bool,
    media_domains: list,
    extra_args: list,
    min_replica_count: int,
    max_replica_count: int,
    fallbacks: list,
    spot: bool,
    flex_start_hours: int,
    dedicated_endpoint: bool,
    request_timeout_seconds: int,
    deployment_timeout_seconds: int,
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
    allowed_licences: list,
    pickled_weights: str,
    owner: str,
    ttl: str,
    plan: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("vision", bool), ("chat", bool)]):
    """Read the model's config.json and safetensors headers, and decide how it is served.

    Args:
        commit: Commit of the repo, 40 hexadecimal digits.
        suite: Questions of the evaluation, checked before anything is rented.
        suite_items: Questions of the suite that are asked. 0: all.
        suite_levels: Difficulty levels that are asked; empty: all.
        baseline: Run that answers are compared with.
        allowed_regression: Share of right answers that may be lost against the baseline, 0 to 1.
        confidence: Confidence with which the comparison decides.
        project: Project id.
        deployment: Name of the deployment: in names and labels of all that its runs create.
        model_id: Hugging Face repo, owner/name.
        revision: Branch, tag or commit of the repo.
        region: Region of endpoint, model and bucket.
        bucket: Bucket for weights and measurements. Default: PROJECT-vertex-vllm-REGION, made if missing.
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
        allowed_licences: Licences as model cards name them, for example apache-2.0 or gemma; empty: any.
        pickled_weights: Weights in pickle files: refuse; scanned takes those without dangerous imports; any takes all.
        owner: Team or person who answers for the deployment: a label on all that its runs create.
        ttl: Lifetime of all that a run creates, for example 8h or 7d; then a sweep removes it. Default: for ever.
        plan: The serving plan, JSON.
        page: The serving plan as an HTML page; each number unfolds into its terms.

    Returns:
        Whether the model takes images, and whether it has a chat template.
    """
    from typing import NamedTuple

    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
    from vertex_vllm.evaluation.comparison import Terms
    from vertex_vllm.evaluation.evaluated_run import Order
    from vertex_vllm.evaluation.measurement_store import read_throughputs
    from vertex_vllm.evaluation.planned import stated
    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.repository_facts import read_facts
    from vertex_vllm.planning.plan_page import plan_page
    from vertex_vllm.planning.planner import plan_serving
    from vertex_vllm.planning.render import render_plan
    from vertex_vllm.planning.throughput import with_throughput
    from vertex_vllm.project_names import default_bucket
    from vertex_vllm.serving.adapter_check import check_adapters
    from vertex_vllm.serving.pinned_image import with_digest
    from vertex_vllm.serving.quota_check import read_quotas
    from vertex_vllm.steps import step, write_artifact

    with step():
        asked = deployment_from_parameters(
            project=project,
            deployment=deployment,
            model_id=model_id,
            revision=revision,
            region=region,
            bucket=bucket,
            hf_token_secret=hf_token_secret,
            machine_type=machine_type,
            accelerator_type=accelerator_type,
            accelerator_count=accelerator_count,
            image=image,
            max_model_len=max_model_len,
            max_num_seqs=max_num_seqs,
            gpu_memory_utilization=gpu_memory_utilization,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            tools=tools,
            forbid_advisories=forbid_advisories,
            media_domains=media_domains,
            extra_args=extra_args,
            min_replica_count=min_replica_count,
            max_replica_count=max_replica_count,
            fallbacks=fallbacks,
            spot=spot,
            flex_start_hours=flex_start_hours,
            dedicated_endpoint=dedicated_endpoint,
            request_timeout_seconds=request_timeout_seconds,
            deployment_timeout_seconds=deployment_timeout_seconds,
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
            allowed_licences=allowed_licences,
            pickled_weights=pickled_weights,
            owner=owner,
            ttl=ttl,
        )
        facts, catalog = read_facts(model_id, commit, hub_token(hf_token_secret)), load_catalog()
        check_adapters(extra_args, facts, project, catalog)
        # A named machine is planned without regard to quota: the next step checks it.
        quotas = (
            {} if machine_type else read_quotas(project, region, catalog.quota_ids(region, asked.serving.preemptible))
        )
        measured = read_throughputs(project, bucket or default_bucket(project, region), model_id)
        decided = with_throughput(with_digest(plan_serving(facts, asked, catalog, quotas)), measured)
        print(render_plan(decided))
        terms = Terms(allowed_regression=allowed_regression, confidence=confidence)
        print("Evaluation:", stated(Order(suite, suite_items, suite_levels, baseline, terms=terms), project))
        write_artifact(plan.path, decided.to_json())
        write_artifact(page.path, plan_page(decided))
        plan.metadata.update(
            machine_type=decided.machine_type,
            image=decided.image,
            config_hash=decided.config_hash,
            verdict=decided.verdict,
        )
        return NamedTuple("Outputs", [("vision", bool), ("chat", bool)])(decided.vision, decided.chat)
