"""A repository with a file whose name no bucket path should hold: everything else is mirrored."""

import json
import uuid
from pathlib import Path

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.chaos.repository import write_repository
from tests.demo_project import REGION, DemoProject
from vertex_vllm.runs.vertex_engine import run_name

pytestmark = [pytest.mark.slow, pytest.mark.parity("local cloud only")]

# A name of a macOS screenshot: a narrow no-break space before AM.
SCREENSHOT = "Screenshot 2024-05-01 at 10.12.51\u202fAM.png"


def test_the_mirror_leaves_such_a_file_out_and_counts_it(
    cloud: Connection, small_project: DemoProject, tmp_path: Path
) -> None:
    folder, model_id = tmp_path / "repository", f"odd-{uuid.uuid4().hex[:8]}/names"
    write_repository(folder, large=False)
    (folder / SCREENSHOT).write_bytes(b"\x89PNG")
    cloud.admin("PUT", "/_local/hub/repos", {"id": model_id, "path": str(folder), "gated": False})
    run = small_project.run("mirror", small_project.own_deployment("odd"), model_id=model_id)
    assert run.state == "SUCCEEDED", [step.error for step in run.steps]
    bucket = f"{small_project.id}-vertex-vllm-{REGION}"
    copied = {
        blob.name.rpartition("/")[2] for blob in storage.Client().list_blobs(bucket, prefix=f"models/{model_id}/")
    }
    assert {"config.json", "model-00001-of-00002.safetensors", "tokenizer.json"} < copied
    assert not [name for name in copied if "Screenshot" in name]
    log = (cloud.state_dir / "logs" / "pipelines" / run_name(run.name).id / "mirror-weights.log").read_text()
    shown = json.dumps(SCREENSHOT).strip('"')
    said = "names that cannot be copied, and are left out unless serving needs them"
    assert f"{model_id}: 1 files have {said}: '{shown}'" in log
