"""The steps' image that bootstrap built, as `submit` finds it."""

import uuid
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import PipelineServiceClient

from localcloud.daemon import Connection
from tests.prepared import REGION, prepared
from vertex_vllm.cli import main
from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.publishing.building import LATEST, sources_tag, steps_image
from vertex_vllm.publishing.built import find_built
from vertex_vllm.publishing.image_digest import find_digest, point_tag
from vertex_vllm.publishing.image_sources import read_sources

ROOT = Path(__file__).resolve().parents[3]


def test_the_image_of_these_sources_is_found_by_digest(ready_project: str) -> None:
    sources = read_sources(ROOT).digest
    found = find_built(ready_project, REGION, sources)
    image = steps_image(ready_project, REGION)
    assert (found.name, found.warning) == (f"{image}@{find_digest(f'{image}:{sources_tag(sources)}')}", "")
    assert find_built(ready_project, REGION) == found


def test_the_image_of_other_sources_is_taken_with_a_word(ready_project: str) -> None:
    found = find_built(ready_project, REGION, "of-other-sources")
    assert found.name == find_built(ready_project, REGION).name
    assert "was built from other sources than this checkout's" in found.warning


def test_the_last_tag_moves_once(ready_project: str) -> None:
    latest = f"{steps_image(ready_project, REGION)}:{LATEST}"
    digest = find_digest(latest)
    assert digest is not None
    assert point_tag(latest, digest) is False
    prepared(ready_project)
    assert find_digest(latest) == digest


def test_where_nobody_has_built_one_the_command_is_told(cloud: object, project: str) -> None:
    with pytest.raises(InputError, match=f"vertex-vllm bootstrap --project {project} --region {REGION}"):
        find_built(project, REGION)


def pushed(cloud: Connection, project: str, tag: str, digest: str) -> str:
    """An image that somebody pushed under a tag of the steps' image; its name, by digest."""
    repository = f"projects/{project}/locations/{REGION}/repositories/vertex-vllm"
    fields = {"repository": repository, "image": "python-steps", "tag": tag, "digest": digest}
    cloud.admin("PUT", "/_local/images", fields)
    return f"{steps_image(project, REGION)}@{digest}"


@pytest.mark.parametrize("sources", ["", "of-other-sources", "5e" * 32])
def test_an_image_that_somebody_pushed_is_not_sent(cloud: Connection, ready_project: str, sources: str) -> None:
    tag = sources_tag(sources) if sources == "5e" * 32 else LATEST
    image = pushed(cloud, ready_project, tag, f"sha256:{uuid.uuid4().hex * 2}")
    with pytest.raises(ServiceError, match="not shown to come from Cloud Build: its provenance is missing") as refused:
        find_built(ready_project, REGION, sources)
    assert (refused.value.where, "vertex-vllm bootstrap" in str(refused.value)) == (image, True)


@pytest.mark.parametrize("command", ["submit", "schedule apply"])
def test_no_command_sends_an_image_that_somebody_pushed(
    cloud: Connection, ready_project: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tag in (LATEST, sources_tag(read_sources(ROOT).digest)):
        pushed(cloud, ready_project, tag, f"sha256:{uuid.uuid4().hex * 2}")
    config = tmp_path / "llama.yaml"
    config.write_text(
        "name: llama\nmodel: {id: HuggingFaceTB/SmolLM2-135M-Instruct}\nschedules: [{name: nightly, cron: 0 0 1 1 *}]\n"
    )
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), str(config), "--project", ready_project])
    assert ended.value.code != 0
    assert "its provenance is missing" in capsys.readouterr().err
    jobs = PipelineServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    assert list(jobs.list_pipeline_jobs(parent=f"projects/{ready_project}/locations/{REGION}")) == []
