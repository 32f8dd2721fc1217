"""The measured programs: `python -m benchmarks.mirroring.variants NAME [ARGUMENT]` runs one."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.mirroring.names import BUCKET, COMMIT, MODEL

_LARGE = 8 << 20


def ours(connections: str = "8") -> None:
    from vertex_vllm.mirror import Transfer, mirror_weights

    transfer = Transfer(connections=int(connections))
    mirror_weights(MODEL, COMMIT, None, f"gs://{BUCKET}/models/ours", "benchmark", transfer=transfer)


def snapshot_and_transfer_manager() -> None:
    """The usual two steps, download and upload, with the usual packages and their defaults."""
    from google.cloud.storage import Client, transfer_manager
    from huggingface_hub import snapshot_download

    with _folder() as folder:
        snapshot_download(MODEL, revision=COMMIT, local_dir=folder)
        bucket = Client(project="benchmark").bucket(BUCKET)
        for path in sorted(Path(folder).glob("*")):
            blob = bucket.blob(f"models/two-steps/{path.name}")
            if not path.is_file():
                continue
            if path.stat().st_size > _LARGE:
                transfer_manager.upload_chunks_concurrently(str(path), blob)
            else:
                blob.upload_from_filename(str(path))


def hf_and_gcloud() -> None:
    """The command lines `hf` and `gcloud`, as a runbook would use them."""
    with _folder() as folder:
        hf = str(Path(sys.executable).parent / "hf")
        subprocess.run([hf, "download", MODEL, "--revision", COMMIT, "--local-dir", folder], check=True)
        source = [str(path) for path in sorted(Path(folder).glob("*")) if path.is_file()]
        target = f"gs://{BUCKET}/models/command-lines/"
        subprocess.run(["gcloud", "--quiet", "storage", "cp", *source, target], check=True)


def sha256(size: str) -> None:
    """Only the hash of the bytes, the minimal work of every copy that is verified."""
    import hashlib

    piece, hashing = bytes(1 << 20), hashlib.sha256()
    for _ in range(int(size) >> 20):
        hashing.update(piece)


def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="mirror-benchmark-", dir=Path.cwd())


VARIANTS: dict[str, Callable[..., None]] = {
    "ours": ours,
    "snapshot_and_transfer_manager": snapshot_and_transfer_manager,
    "hf_and_gcloud": hf_and_gcloud,
    "sha256": sha256,
}

if __name__ == "__main__":
    VARIANTS[sys.argv[1]](*sys.argv[2:])
