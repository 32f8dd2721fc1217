"""docs/console.md against the fields of the console's form, and each spec with its required parameters alone."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform

from localcloud.daemon import Connection
from pipelines.compile import COMPILED, PIPELINES

pytestmark = pytest.mark.usefixtures("working")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "console.md").read_text()
REQUIRED = {
    "project": "some-project",
    "deployment": "some-deployment",
    "model_id": "owner/name",
    "endpoint": "projects/some-project/locations/us-central1/endpoints/1",
}


def form(name: str) -> dict[str, dict[str, Any]]:
    spec = yaml.safe_load((COMPILED / f"{name}.yaml").read_text())
    fields: dict[str, dict[str, Any]] = spec["root"]["inputDefinitions"]["parameters"]
    return fields


def test_the_page_explains_each_field_of_the_form_in_the_words_of_the_spec() -> None:
    explained = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    fields = form("deploy")
    assert set(explained) == set(fields)
    for name, field in fields.items():
        assert explained[name].endswith(field["description"])
        assert explained[name].startswith("**required.** ") == ("defaultValue" not in field)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_spec_is_accepted_with_nothing_but_its_required_parameters(
    cloud: Connection, name: str, project: str
) -> None:
    required = [field for field, definition in form(name).items() if "defaultValue" not in definition]
    job = aiplatform.PipelineJob(
        display_name=name,
        template_path=str(COMPILED / f"{name}.yaml"),
        pipeline_root=f"gs://{project}-runs",
        parameter_values={field: REQUIRED[field] for field in required},
        project=project,
        location="us-central1",
    )
    job.submit()
    job.cancel()
    assert job.resource_name.startswith("projects/")
