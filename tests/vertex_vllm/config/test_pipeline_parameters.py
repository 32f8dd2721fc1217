"""The flat parameters of the pipelines, and the way back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import Deployment
from vertex_vllm.config.deployment import GoogleCloud, Model, Serving
from vertex_vllm.config.evaluation_section import Evaluation, Thresholds
from vertex_vllm.config.load_section import Load
from vertex_vllm.config.pipeline_parameters import (
    Parameter,
    deployment_from_parameters,
    parameter_values,
    parameters_of,
)
from vertex_vllm.config.trust import Licences, Mirror
from vertex_vllm.errors import InputError
from vertex_vllm.project_names import default_bucket, secret_version_name, serving_account

KEY = "projects/p/locations/us-central1/keyRings/models/cryptoKeys/manifests/cryptoKeyVersions/1"
DEPLOYMENT = Deployment(
    name="llama",
    model=Model(id="meta-llama/Llama-3.1-8B", revision="abc"),
    hf_token_secret="hf-token",
    google_cloud=GoogleCloud(region="europe-west4"),
    serving=Serving(machine_type="g2-standard-12", extra_args=["--enable-lora"], max_replica_count=2, spot=True),
    evaluation=Evaluation(
        concurrency=2, load=Load(answer_tokens="uniform(4, 64)"), thresholds=Thresholds(min_exact_match=0.5)
    ),
    licences=Licences(allow=["apache-2.0"]),
    mirror=Mirror(signing_key=KEY, pickled_weights="scanned"),
    keep_endpoint=False,
    owner="search-team",
    ttl="7d",
)
DEPLOY_VALUES = {
    "project": "my-project",
    "deployment": "llama",
    "model_id": "meta-llama/Llama-3.1-8B",
    "region": "europe-west4",
    "bucket": "my-project-vertex-vllm-europe-west4",
    "revision": "abc",
    "hf_token_secret": "projects/my-project/secrets/hf-token/versions/latest",
    "serving_service_account": "vertex-vllm-serving@my-project.iam.gserviceaccount.com",
    "machine_type": "g2-standard-12",
    "accelerator_type": "",
    "accelerator_count": 0,
    "image": "",
    "max_model_len": 0,
    "max_num_seqs": 0,
    "gpu_memory_utilization": 0.9,
    "dtype": "auto",
    "trust_remote_code": False,
    "tools": False,
    "forbid_advisories": False,
    "media_domains": [],
    "extra_args": ["--enable-lora"],
    "min_replica_count": 1,
    "max_replica_count": 2,
    "fallbacks": [],
    "spot": True,
    "flex_start_hours": 0,
    "dedicated_endpoint": True,
    "request_timeout_seconds": 1800,
    "deployment_timeout_seconds": 7200,
    "concurrency": 2,
    "suite": "text",
    "suite_items": 0,
    "suite_levels": [],
    "baseline": "promoted",
    "allowed_regression": 0.05,
    "allowed_changed_answers": 0.1,
    "confidence": 0.95,
    "max_requests": 0,
    "max_tokens": 0,
    "max_minutes": 60.0,
    "max_usd": 0.0,
    "experiment": "",
    "load_rate": 0.0,
    "load_profile": "short",
    "load_prompt_tokens": "",
    "load_answer_tokens": "uniform(4, 64)",
    "load_trace": "",
    "slo_time_to_first_token_seconds": 0.0,
    "slo_inter_token_latency_seconds": 0.0,
    "slo_end_to_end_seconds": 0.0,
    "slo_percentile": 95.0,
    "find_highest_rate": False,
    "load_requests": 0,
    "load_max_minutes": 30.0,
    "min_exact_match": 0.5,
    "max_p95_time_to_first_token_seconds": 0.0,
    "min_tokens_per_second": 0.0,
    "allowed_licences": ["apache-2.0"],
    "signing_key": KEY,
    "pickled_weights": "scanned",
    "keep_endpoint": False,
    "owner": "search-team",
    "ttl": "7d",
}


def test_deploy_is_given_every_field_and_what_belongs_to_the_project_spelt_out() -> None:
    assert parameter_values("deploy", DEPLOYMENT, "my-project") == DEPLOY_VALUES


@pytest.mark.parametrize(
    ("pipeline", "names"),
    [
        (
            "mirror",
            "project deployment model_id region bucket revision hf_token_secret serving_service_account"
            " trust_remote_code allowed_licences signing_key pickled_weights owner",
        ),
        (
            "evaluate",
            "project deployment concurrency suite suite_items suite_levels baseline allowed_regression"
            " allowed_changed_answers confidence max_requests max_tokens max_minutes max_usd experiment min_exact_match"
            " max_p95_time_to_first_token_seconds min_tokens_per_second"
            " load_rate load_profile load_prompt_tokens load_answer_tokens load_trace slo_time_to_first_token_seconds"
            " slo_inter_token_latency_seconds slo_end_to_end_seconds slo_percentile find_highest_rate load_requests"
            " load_max_minutes",
        ),
        ("teardown", "project deployment region fallbacks"),
    ],
)
def test_the_other_pipelines_are_given_the_same_values_where_they_ask(pipeline: str, names: str) -> None:
    expected = {name: DEPLOY_VALUES[name] for name in names.split()}
    assert parameter_values(pipeline, DEPLOYMENT, "my-project") == expected


@pytest.mark.parametrize(
    ("pipeline", "parameter"),
    [
        ("deploy", Parameter("project", str, None, "Project id.")),
        ("deploy", Parameter("model_id", str, None, "Hugging Face repo, owner/name.")),
        ("deploy", Parameter("region", str, "us-central1", "Region of endpoint, model and bucket.")),
        (
            "deploy",
            Parameter(
                "gpu_memory_utilization",
                float,
                0.9,
                "Share of each accelerator's memory that vLLM may take, 0 to 0.99.",
            ),
        ),
        (
            "deploy",
            Parameter(
                "dtype",
                str,
                "auto",
                "Number format that the weights are computed in. auto: the model's own.",
            ),
        ),
        (
            "deploy",
            Parameter(
                "extra_args",
                list,
                [],
                "Further vLLM arguments, for example --enable-lora; they override the planner's.",
            ),
        ),
        (
            "evaluate",
            Parameter("endpoint", str, None, "Endpoint to evaluate, projects/P/locations/REGION/endpoints/ID."),
        ),
        (
            "teardown",
            Parameter(
                "run_id", str, "", "Pipeline job whose endpoint and model are deleted; empty: all of the deployment."
            ),
        ),
    ],
)
def test_a_parameter_has_the_type_default_and_description_of_its_field(pipeline: str, parameter: Parameter) -> None:
    assert next(known for known in parameters_of(pipeline) if known.name == parameter.name) == parameter


@pytest.mark.parametrize("pipeline", ["deploy", "mirror", "evaluate", "teardown", "sweep"])
def test_parameters_are_what_a_pipeline_takes(pipeline: str) -> None:
    parameters = parameters_of(pipeline)
    required = [parameter.default is None for parameter in parameters]
    assert required == sorted(required, reverse=True)
    for parameter in parameters:
        assert parameter.type in (str, int, float, bool, list)
        assert parameter.default is None or type(parameter.default) is parameter.type
        assert parameter.description.endswith(".")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model_id": "a/b"},
            "deployment: is missing. Name of the deployment: in names and labels of all that its runs create.",
        ),
        (
            {"deployment": "a", "model_id": "a/b", "max_len": 1},
            "max_len: unknown parameter. Known: project, deployment,",
        ),
        (
            {"deployment": "a", "model_id": "llama"},
            "model_id: must be owner/name as on the Hugging Face Hub, for example",
        ),
        ({"deployment": "a", "model_id": "a/b", "spot": "yes"}, "spot: must be true or false"),
        ({"deployment": "a", "model_id": "a/b", "accelerator_count": -1}, "accelerator_count: must be at least 0"),
        (
            {"deployment": "a", "model_id": "a/b", "machine_type": "g2-standard-12", "region": "us-south1"},
            "region: no g2-standard-12 in us-south1. It is in: asia-east1,",
        ),
        (
            {"deployment": "A", "model_id": "a/b", "spot": 1},
            "deployment: must be 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and not "
            "ending with a hyphen; spot: must be true or false",
        ),
    ],
)
def test_parameters_that_make_no_deployment_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        deployment_from_parameters(**values)
    assert str(caught.value).startswith(message)
    assert caught.value.where == message.partition(":")[0]


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    machine = draw(st.sampled_from(sorted(load_catalog().machines.values(), key=lambda machine: machine.machine)))
    least = draw(st.integers(1, 5))
    return Deployment(
        name=draw(st.from_regex(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", fullmatch=True)),
        model=Model(id=draw(st.from_regex(r"[a-z0-9]{1,9}/[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True))),
        hf_token_secret=draw(
            st.sampled_from(["", "hf-token", "projects/p/secrets/s", "projects/p/secrets/s/versions/7"])
        ),
        google_cloud=GoogleCloud(
            region=draw(st.sampled_from(machine.regions)), bucket=draw(st.sampled_from(["", "abc"]))
        ),
        serving=Serving(
            machine_type=draw(st.sampled_from(["", machine.machine])),
            accelerator_type=draw(st.sampled_from(["", machine.accelerator])),
            max_model_len=draw(st.integers(0, 200_000)),
            gpu_memory_utilization=draw(st.floats(0.1, 0.99)),
            dtype=draw(st.sampled_from(["auto", "bfloat16", "float16"])),
            extra_args=draw(st.lists(st.sampled_from(["--enable-lora", "--seed=1", "-tp", "2"]), max_size=3)),
            min_replica_count=least,
            max_replica_count=least + draw(st.integers(0, 3)),
            spot=draw(st.booleans()),
        ),
        keep_endpoint=draw(st.booleans()),
    )


@given(deployment=deployments())
def test_from_parameters_comes_the_deployment_that_went_in(deployment: Deployment) -> None:
    values = json.loads(json.dumps(parameter_values("deploy", deployment, "my-project")))
    cloud = deployment.google_cloud
    spelt_out = {
        "hf_token_secret": secret_version_name(deployment.hf_token_secret, "my-project"),
        "google_cloud": cloud.model_copy(
            update={
                "project": "my-project",
                "bucket": cloud.bucket or default_bucket("my-project", cloud.region),
                "serving_service_account": serving_account(cloud.serving_service_account, "my-project"),
            }
        ),
    }
    assert deployment_from_parameters(**values) == deployment.model_copy(update=spelt_out)
