"""Pipeline: copies a model's weights to the project's bucket, and does nothing else."""

from kfp import dsl

from components.mirror_weights import mirror_weights
from components.setup_bucket import setup_bucket
from components.validate_hf_token import validate_hf_token


# Parameters project to owner: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.pipeline(name="mirror")
def mirror(
    project: str,
    deployment: str,
    model_id: str,
    region: str = "us-central1",
    bucket: str = "",
    revision: str = "main",
    hf_token_secret: str = "",
    serving_service_account: str = "",
    trust_remote_code: bool = False,
    allowed_licences: list = [],
    signing_key: str = "",
    pickled_weights: str = "refuse",
    owner: str = "",
) -> None:
    """Copy an open model from Hugging Face to Cloud Storage, verified.

    Args:
        project: Project id.
        deployment: Name of the deployment: in names and labels of all that its runs create.
        model_id: Hugging Face repo, owner/name.
        region: Region of endpoint, model and bucket.
        bucket: Bucket for weights and measurements. Default: PROJECT-vertex-vllm-REGION, made if missing.
        revision: Branch, tag or commit of the repo.
        hf_token_secret: Secret Manager version with the Hub token, projects/P/secrets/S/versions/V; empty: anonymous.
        serving_service_account: Service account of the container. Default: the project's vertex-vllm-serving.
        trust_remote_code: Run the repo's own Python code, which some models need; revision must then be a commit.
        allowed_licences: Licences as model cards name them, for example apache-2.0 or gemma; empty: any.
        signing_key: Cloud KMS key version that signs the mirror; upload_model verifies it. Default: not signed.
        pickled_weights: Weights in pickle files: refuse; scanned takes those without dangerous imports; any takes all.
        owner: Team or person who answers for the deployment: a label on all that its runs create.
    """
    access = validate_hf_token(
        model_id=model_id, revision=revision, hf_token_secret=hf_token_secret, allowed_licences=allowed_licences
    ).set_caching_options(False)
    # A model that may not be read, or whose licence is not allowed, is refused before anything is created.
    bucket_ready = (
        setup_bucket(
            project=project,
            region=region,
            bucket=bucket,
            deployment=deployment,
            run_id=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            serving_service_account=serving_service_account,
            owner=owner,
        )
        .after(access)
        .set_caching_options(False)
    )
    mirror_weights(
        project=project,
        run=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        model_id=model_id,
        commit=access.output,
        hf_token_secret=hf_token_secret,
        bucket=bucket_ready.output,
        trust_remote_code=trust_remote_code,
        signing_key=signing_key,
        pickled_weights=pickled_weights,
    ).set_caching_options(False)
