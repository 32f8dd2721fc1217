"""Step: copies the model's files from the Hub to Cloud Storage, and verifies them."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def mirror_weights(
    project: str,
    run: str,
    model_id: str,
    commit: str,
    hf_token_secret: str,
    bucket: str,
    trust_remote_code: bool,
    signing_key: str,
    pickled_weights: str,
    manifest: dsl.Output[dsl.Artifact],
) -> str:
    """Stream the needed files to gs://<bucket>/models/<model id>/<commit>; a finished mirror is not repeated.

    Args:
        project: Project id.
        run: Pipeline job, projects/P/locations/REGION/pipelineJobs/ID: its cancellation ends the step.
        model_id: Hugging Face repo, owner/name.
        commit: 40 hexadecimal digits.
        hf_token_secret: Secret Manager version that holds the token; empty: anonymous.
        bucket: Bucket name without gs://.
        trust_remote_code: Copy the repo's own Python code too, which serving it would run.
        signing_key: Cloud KMS key version that signs the mirror; upload_model verifies it. Default: not signed.
        pickled_weights: Weights in pickle files: refuse; scanned takes those without dangerous imports; any takes all.
        manifest: Every file with its size, sha256, crc32c and generation; the speed is in the metadata.

    Returns:
        The gs:// prefix that holds the files.
    """
    from vertex_vllm.hub import hub_token
    from vertex_vllm.mirror import ProgressLog, Selection, destination, mirror_weights
    from vertex_vllm.mirror.pickle_scan import pickled_consent
    from vertex_vllm.mirror.signing_keys import signing_key as key_of
    from vertex_vllm.steps import step, write_artifact

    with step(run):
        log = ProgressLog()
        mirrored = mirror_weights(
            model_id,
            commit,
            hub_token(hf_token_secret),
            destination(bucket, model_id, commit),
            project,
            on_progress=log,
            selection=Selection(code=trust_remote_code),
            pickled_weights=pickled_consent(pickled_weights),
            signing=key_of(signing_key) if signing_key else None,
        )
        write_artifact(manifest.path, mirrored.to_json())
        manifest.metadata.update(uri=mirrored.uri, **log.figures)
        return mirrored.uri
