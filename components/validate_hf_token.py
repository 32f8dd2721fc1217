"""Step: checks that the token may read the model, and finds the revision's commit."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_hf_token(model_id: str, revision: str, hf_token_secret: str, allowed_licences: list) -> str:
    """Check the token, the access to the repo, the revision and the licence, before anything is created.

    Args:
        model_id: Hugging Face repo, owner/name.
        revision: Branch, tag or commit.
        hf_token_secret: Secret Manager version that holds the token, projects/P/secrets/S/versions/V; empty: anonymous.
        allowed_licences: Licences as model cards name them, for example apache-2.0 or gemma; empty: any.

    Returns:
        The revision's commit, 40 hexadecimal digits.
    """
    import logging

    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.model.card_licence import check_licence
    from vertex_vllm.steps import step

    with step():
        access = check_access(model_id, revision, hub_token(hf_token_secret))
        check_licence(f"{model_id}@{access.commit}", access.licence, allowed_licences)
        logging.info("%s@%s is commit %s, read as %s", model_id, revision, access.commit, access.user or "anonymous")
        return access.commit
