"""docs/security.md says who may do what exactly as bootstrap grants it."""

import re
from pathlib import Path

from vertex_vllm.bootstrap.resources import Grant
from vertex_vllm.bootstrap.wanted import BUILD, CI, PIPELINE, SECRET, SERVING, Settings, wanted
from vertex_vllm.config.names import IMAGES_REPOSITORY, TEMPLATES_REPOSITORY, default_bucket, runs_bucket

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "security.md").read_text()
SETTINGS = Settings("team-project", "123", "us-central1", "team/repo")
ACCOUNTS = {PIPELINE: "pipeline", SERVING: "serving", CI: "CI", BUILD: "build"}
PLACES = {
    "project team-project": "project",
    f"gs://{default_bucket('team-project', 'us-central1')}": "weights bucket",
    f"gs://{runs_bucket('team-project', 'us-central1')}": "runs bucket",
    f"secret {SECRET}": "secret",
    f"repository us-central1/{IMAGES_REPOSITORY}": "images",
    f"repository us-central1/{TEMPLATES_REPOSITORY}": "templates",
    **{f"service account {SETTINGS.account(account)}": f"{name} account" for account, name in ACCOUNTS.items()},
}


def who(grant: Grant) -> str:
    return ACCOUNTS.get(grant.member.removeprefix("serviceAccount:").partition("@")[0], "GitHub")


def test_the_page_has_each_grant_with_its_reason_and_no_other() -> None:
    rows = re.findall(r"^\| ([\w]+) \| `([\w.]+)` \| ([\w ]+) \| (.+) \|$", PAGE, re.MULTILINE)
    granted = {
        (who(step), step.role.removeprefix("roles/"), PLACES[step.on.resource])
        for step in wanted(SETTINGS)
        if isinstance(step, Grant)
    }
    assert {row[:3] for row in rows} == granted
    assert len(rows) == len(granted)
    assert all(len(reason) > 5 for *_, reason in rows)
