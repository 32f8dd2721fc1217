"""Prepares a local cloud for a config: its model on the Hub, a token that opens it, a runtime that serves it."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_vllm.cli.failures import told
from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from localcloud.daemon import Connection

Say = Callable[[str], None]


def serving_runtime(say: Say) -> None:
    """Installs the serving runtime on first use, which takes a minute or two. Raises VertexVllmError."""
    from vertex_vllm.local.serving_runtime import RuntimeInstallError, ensure_runtime

    with told(RuntimeInstallError):
        ensure_runtime(say)


def demo_models(say: Say) -> dict[str, Path]:
    """The folders of the demo's models by id, built on first use. Raises VertexVllmError."""
    from vertex_vllm.local.demo_models.build import DemoModelError, ensure

    serving_runtime(say)
    with told(DemoModelError):
        return ensure(say)


def demo_model(model_id: str, say: Say) -> Path | None:
    """Folder of one of the demo's models; None for any other."""
    from vertex_vllm.local.demo_models.build import IMAGE_MODEL, TEXT_MODEL

    return demo_models(say)[model_id] if model_id in (TEXT_MODEL, IMAGE_MODEL) else None


def put_model(cloud: "Connection", model_id: str, folder: Path, *, gated: bool) -> None:
    """Puts the files of `folder` on the local Hub as a model, in the place of the model's earlier files."""
    fields = {"id": model_id, "path": str(folder.resolve()), "gated": gated}
    cloud.admin("PUT", "/_local/hub/repos", fields)


def put_token(cloud: "Connection", secret: str, granted: Iterable[str]) -> None:
    """Stores a new token for the models `granted` in `projects/P/secrets/S`; an existing token stays.

    This process's Google clients must be redirected to the local cloud.
    """
    from google.api_core.exceptions import AlreadyExists
    from google.cloud.secretmanager import SecretManagerServiceClient

    client = SecretManagerServiceClient()
    parent, _, secret_id = secret.rpartition("/secrets/")
    try:
        client.create_secret(parent=parent, secret_id=secret_id, secret={"replication": {"automatic": {}}})
    except AlreadyExists:
        if list(client.list_secret_versions(request={"parent": secret, "filter": "state:ENABLED"})):
            return
    token = f"hf_{secrets.token_hex(17)}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    cloud.admin("PUT", "/_local/hub/tokens", {"sha256": digest, "user": "local", "granted": list(granted)})
    client.add_secret_version(parent=secret, payload={"data": token.encode()})


def provide(cloud: "Connection", pipeline: str, parameters: Mapping[str, Any], say: Say) -> None:
    """Prepares a run of `pipeline` with these parameters: puts its model on the Hub, if it is one of the demo's.

    Raises InputError for another model that the local Hub lacks, VertexVllmError when something cannot be made.
    """
    if pipeline not in ("deploy", "mirror"):
        return
    model_id, version = str(parameters["model_id"]), str(parameters["hf_token_secret"])
    if not _is_on_hub(cloud, model_id):
        folder = demo_model(model_id, say)
        if folder is None:
            raise InputError(
                f"{model_id} is not on the local Hub",
                where="model.id",
                fix=f"Put it there: vertex-vllm local hub {model_id} --from FOLDER",
            )
        put_model(cloud, model_id, folder, gated=bool(version))
        say(f"On the local Hub: {model_id}{' (gated)' if version else ''}")
    if version:
        put_token(cloud, version.partition("/versions/")[0], [model_id])
    if pipeline == "deploy":
        serving_runtime(say)


def _is_on_hub(cloud: "Connection", model_id: str) -> bool:
    from huggingface_hub import HfApi

    return bool(HfApi(endpoint=cloud.environment["HF_ENDPOINT"], token=False).repo_exists(model_id))
