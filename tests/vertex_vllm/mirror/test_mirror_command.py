"""`vertex-vllm mirror` as a person or a script runs it, and its cleanup."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.cli.documented_commands import commands_in, vertex_vllm
from tests.vertex_vllm.mirror.conftest import MANIFEST, SHARDS, SMALL_STEPS, SharedModel
from vertex_vllm.cli import main
from vertex_vllm.errors import VertexVllmError
from vertex_vllm.mirror import Manifest, mirror_weights
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME


def run(*arguments: str) -> int:
    try:
        main(["mirror", *arguments])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


def test_a_dry_run_says_what_would_be_copied_and_changes_nothing(
    shared_model: SharedModel, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ("--to", f"gs://{shared_model.bucket}", "--project", project)
    assert run(shared_model.id, *to, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["destination"] == f"gs://{shared_model.bucket}/models/{shared_model.id}/{shared_model.commit}"
    assert told["present"] == []
    assert {file["path"] for file in told["missing"]} == set(shared_model.files)
    assert list(shared_model.client.list_blobs(shared_model.bucket)) == []


def test_a_model_is_copied_and_found_again(
    shared_model: SharedModel, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"{shared_model.place()}/x"
    arguments = (shared_model.id, "--to", place, "--project", project, "--connections", "2")
    assert run(*arguments, "--json") == 0
    out, err = capsys.readouterr()
    shared_model.assert_published(place)
    assert Manifest.from_json(out).uri == place
    last = json.loads(err.splitlines()[-1])
    assert (last["files_done"], last["bytes_copied"]) == (6, sum(map(len, shared_model.files.values())))
    assert run(*arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [place]
    assert json.loads(err.splitlines()[0])["bytes_copied"] == 0
    assert run(*arguments, "--dry-run") == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"present"}


def test_patterns_choose_files_and_a_mirror_of_others_is_made_anew(shared_model: SharedModel, project: str) -> None:
    place = shared_model.place()
    arguments = (shared_model.id, "--to", place, "--project", project)
    assert run(*arguments, "--include", "*.json", "--exclude", "tokenizer*") == 0
    written = {MANIFEST, BILL_OF_MATERIALS_NAME}
    assert set(shared_model.objects(place)) == {"config.json", "model.safetensors.index.json", *written}
    assert run(*arguments) == 0
    shared_model.assert_published(place)


def test_the_page_s_commands_work(shared_model: SharedModel, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    values = {"HuggingFaceTB/SmolLM2-135M-Instruct": shared_model.id, "gs://BUCKET": f"gs://{shared_model.bucket}"}
    commands = commands_in("mirror.md", **values)
    assert [words[1] for words in commands] == ["mirror"] * 3
    for words in commands:
        done = vertex_vllm(*words[1:])
        assert done.returncode == 0, done.stderr
    shared_model.assert_published(f"gs://{shared_model.bucket}/models/{shared_model.id}/{shared_model.commit}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no-slash", "--to", "gs://some-bucket"), "is not a model id"),
        (("org/model", "--to", "s3://some-bucket/x"), "not a prefix in Cloud Storage"),
        (("org/model", "--to", "gs://UPPER"), "is not a bucket name"),
        (("org/model",), "Missing option '--to'"),
        (("gc", "gs://UPPER"), "is not a bucket name"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    cloud: Any, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments, "--project", "some-project") == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_a_new_commit_takes_what_another_one_has(
    faulty: Any, shared_model: SharedModel, project: str, local: Any, shards: dict[str, bytes]
) -> None:
    """The content network is cut off: the bytes can only have come from the bucket itself."""
    mirror_weights(shared_model.id, shared_model.commit, None, f"{shared_model.place()}", project, transfer=SMALL_STEPS)
    faulty.add_fault(service="content-network", kind="error", status=404, times=None)
    place = shared_model.place()
    seen = []
    mirror_weights(shared_model.id, shared_model.commit, None, place, project, seen.append, transfer=SMALL_STEPS)
    shared_model.assert_published(place)
    assert seen[-1].bytes_present == sum(SHARDS.values())


def abandoned(faulty: Any, model: SharedModel, project: str) -> str:
    place = model.place()
    faulty.add_fault(service="storage", method="PUT", query={"partNumber": "5"}, kind="error", status=403, times=None)
    with pytest.raises(VertexVllmError, match="403"):
        mirror_weights(
            model.id, model.commit, None, place, project, transfer=replace(SMALL_STEPS, patience_seconds=2.0)
        )
    faulty.clear_faults()
    return place


def test_what_nobody_needs_is_told_and_deleted_on_demand(
    faulty: Any, shared_model: SharedModel, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    left = abandoned(faulty, shared_model, project)
    used, unused = shared_model.place(), shared_model.place()
    for place in (used, unused):
        mirror_weights(shared_model.id, shared_model.commit, None, place, project, transfer=SMALL_STEPS)
    other = shared_model.client.bucket(shared_model.bucket).blob("models/somebody/else")
    other.upload_from_string("mine")
    upload_model_serving_from(project, used)
    asked = ("gc", f"gs://{shared_model.bucket}", "--project", project, "--older-than-days", "0")

    assert run(*asked, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["uri"] for one in found if one["objects"]} == {unused}
    uploads = {one["uri"] for one in found if not one["objects"]}
    assert uploads
    assert {uri.rpartition("/")[0] for uri in uploads} == {left}
    assert run(*asked[:-2]) == 0, "by default nothing of the last week is touched"
    assert capsys.readouterr().out == ""

    assert run(*asked, "--delete") == 0
    shared_model.assert_published(used)
    assert shared_model.objects(unused) == {}
    assert other.exists()
    assert list(shared_model.client.list_blobs(shared_model.bucket, prefix=".vertex-vllm/")) == []
    assert run(*asked) == 0
    assert capsys.readouterr().err.endswith("0 mirrors and uploads unused\n")


def upload_model_serving_from(project: str, place: str) -> None:
    from google.cloud import aiplatform_v1beta1 as vertex

    from vertex_vllm.vertex_ai.clients import model_client

    container = vertex.ModelContainerSpec(
        image_uri="us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20251205_0916_RC01",
        args=["python", "-m", "vllm.entrypoints.openai.api_server", f"--model={place}"],
    )
    model = vertex.Model(display_name="by hand", container_spec=container)
    model_client("europe-west4").upload_model(parent=f"projects/{project}/locations/europe-west4", model=model).result()


CMEK = "Permission denied on Cloud KMS key. Please ensure that your service account may use this key."
PERIMETER = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x"
DISABLED, SSO = "Access to this resource is disabled.", "SSO is enforced for this organization"
REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a key that storage may not use": (
        {"service": "storage", "method": "POST", "query": {"uploads": "*"}, "status": 403, "message": CMEK},
        (CMEK, "--authorize-cmek"),
    ),
    "a key, a small file": (
        {"service": "storage", "method": "POST", "path": "/upload/*", "status": 403, "message": CMEK},
        (CMEK, "--authorize-cmek"),
    ),
    "requester pays": (
        {"service": "storage", "status": 400, "message": "Bucket is a requester pays bucket but no user project."},
        ("Bucket is a requester pays bucket but no user project. ", "--no-requester-pays"),
    ),
    "a service perimeter": (
        {
            "service": "storage",
            "status": 403,
            "message": PERIMETER,
        },
        ("vpcServiceControlsUniqueIdentifier: x", "perimeter"),
    ),
    "a disabled repository": (
        {
            "service": "hub",
            "status": 403,
            "answer_headers": {"X-Error-Message": DISABLED},
        },
        (DISABLED, "Choose another repository"),
    ),
    "single sign-on": (
        {
            "service": "hub",
            "status": 403,
            "answer_headers": {"X-Error-Message": SSO},
        },
        (SSO, "single sign-on"),
    ),
    "a blocked address": (
        {"service": "hub", "status": 403, "answer_headers": {"X-Error-Message": "Your IP is blocked"}},
        ("Your IP is blocked", "another address"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_keeps_the_words_of_its_service(
    name: str, faulty: Any, shared_model: SharedModel, project: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fault, words = REFUSED[name]
    faulty.add_fault(kind="error", times=None, **fault)
    assert run(shared_model.id, "--to", shared_model.place(), "--project", project) in (1, 2)
    told = capfd.readouterr().err.splitlines()[-1]
    assert told.startswith("error: ")
    for word in words:
        assert word in told
    for unwanted in ("{", "?upload", "http://127", "settings/tokens", "hf_token_secret"):
        assert unwanted not in told
