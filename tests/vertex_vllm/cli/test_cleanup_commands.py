"""`vertex-vllm inventory`, `sweep` and `teardown` over resources of the local cloud."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from tests.prepared import prepared, runner
from tests.vertex_vllm.cli.documented_commands import ROOT, commands_in, vertex_vllm
from tests.vertex_vllm.cli.test_endpoints_command import submit_run
from tests.vertex_vllm.lifecycle.teardown_states import names
from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from vertex_vllm.google.deployment_bucket import setup_bucket
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.runs.schedule_calls import delete, list_schedules
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.usefixtures("working")

CONFIGS = sorted(map(str, (ROOT / "configs").glob("*.yaml")))
EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
CONFIG = "name: {name}\nmodel:\n  id: org/name\n"


def test_the_inventory_lists_everything_with_whose_it_is_and_what_it_has_cost(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path, cloud: Any
) -> None:
    project = in_vertex.project
    plan = make_plan(machine_type="g2-standard-12", accelerator_type="NVIDIA_L4", accelerator_count=1)
    submit_run(project, "run-1", tmp_path)
    VertexEngine().watch(f"{in_vertex.parent}/pipelineJobs/run-1", lambda run: None)
    setup_bucket(project, REGION, f"{project}-weights", Owner("llama", "run-1", responsible="search-team"), "")
    name = in_vertex.deploy(plan, "run-1", expires=EXPIRES)
    (version,) = in_vertex.versions()

    answer = vertex_vllm("inventory", "--project", project, "--region", REGION, "--region", "europe-west4", "--json")
    assert answer.returncode == 0, answer.stderr
    rows = json.loads(answer.stdout)
    told = [(row["kind"], row["name"], row["owner"], row["made_by"], row["expires"]) for row in rows]
    assert told == [
        ("endpoint", name, None, runner(project), EXPIRES.isoformat()),
        ("bucket", f"gs://{project}-weights", "search-team", None, None),
        ("model", f"{version.name.partition('@')[0]}@1", None, runner(project), EXPIRES.isoformat()),
    ]
    endpoint, bucket, _ = rows
    assert (endpoint["deployment"], endpoint["run"], endpoint["config_hash"]) == (
        plan.deployment,
        "run-1",
        plan.config_hash,
    )
    assert endpoint["usd_per_hour"] == {"least": 1.0004, "most": 1.0004}
    now = datetime.fromisoformat(cloud.admin("GET", "/_local/status")["time"])
    hours = (now - datetime.fromisoformat(endpoint["since"])) / timedelta(hours=1)
    assert 0 <= endpoint["usd_so_far"]["least"] <= 1.0004 * hours
    assert (bucket["usd_per_hour"], bucket["usd_so_far"]) == (None, None)

    table = vertex_vllm("inventory", "--project", project)  # all regions of the catalogue
    assert (table.returncode, table.stderr.count("error")) == (0, 0)
    header, first, *_, empty, together = table.stdout.splitlines()
    assert header.split()[:4] == ["kind", "name", "region", "deployment"]
    assert "2030-01-01 00:00" in first
    assert (empty, together) == ("", "Together 1.00 USD/h, and 1 of unknown price")


def test_a_sweep_is_a_dry_run_until_it_is_told_to_delete(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    wanted, orphan = make_plan(), make_plan()
    stays, goes = in_vertex.deploy(wanted), in_vertex.deploy(orphan)
    config = tmp_path / "wanted.yaml"
    config.write_text(CONFIG.format(name=wanted.deployment))
    command = ("sweep", str(config), "--project", in_vertex.project, "--region", REGION, "--orphans")
    answer = vertex_vllm(*command)
    assert answer.returncode == 0, answer.stderr
    assert f"would remove: {goes} (no config is named {orphan.deployment}; price unknown)" in answer.stdout
    assert answer.stderr.splitlines()[0] == "This was a dry run: nothing was removed"
    assert f"  vertex-vllm {' '.join(command)} --delete   # removes them" in answer.stderr.splitlines()
    assert {stays, goes} <= set(names(in_vertex))
    answer = vertex_vllm(*command, "--delete")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "Saves 0.00 USD/h, and 1 of unknown price"
    assert [endpoint.name for endpoint in in_vertex.endpoints()] == [stays]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--orphans",), "vertex-vllm sweep configs/*.yaml --orphans"),
        (("configs/llama-3.1-8b.yaml",), "configs are for --orphans"),
        (("configs/llama-3.1-8b.yaml", "--orphans", "--schedule", "0 * * * *"), "tomorrow"),
        (("no-such-file.yaml", "--orphans"), "no such file"),
        (("--region", "mars-north1"), "unknown region mars-north1"),
        (("--schedule", "every hour"), "0 * * * *"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused(project: str, arguments: tuple[str, ...], words: str) -> None:
    answer = vertex_vllm("sweep", *arguments, "--project", project)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert words in line


def test_the_sweep_of_a_project_is_one_schedule_however_often_it_is_asked_for(ready_project: str) -> None:
    project = ready_project

    def scheduled(*arguments: str) -> list[str]:
        answer = vertex_vllm("sweep", "--project", project, "--schedule", *arguments)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.splitlines()

    try:
        assert scheduled("0 * * * *") == ["create: _project/sweep"]
        assert scheduled("0 * * * *") == ["keep: _project/sweep"]
        assert scheduled("30 * * * *") == ["replace: _project/sweep"]
        (schedule,) = list_schedules(project, REGION)
        assert (schedule.pipeline, schedule.cron, schedule.state) == ("sweep", "TZ=UTC 30 * * * *", "ACTIVE")
        assert scheduled("never") == ["delete: _project/sweep"]
        assert list_schedules(project, REGION) == ()
    finally:
        for schedule in list_schedules(project, REGION):
            delete(schedule.resource_name)


def test_a_teardown_by_name_tells_what_it_removed_and_what_stays(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    plan = make_plan()
    name = in_vertex.deploy(plan)
    (version,) = in_vertex.versions()
    bucket = storage.Client(project=in_vertex.project).create_bucket(f"{in_vertex.project}-theirs")
    command = ("teardown", plan.deployment, "--project", in_vertex.project)
    answer = vertex_vllm(*command, "--run", "run-2")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert f"kept: {name}: made by run run-1" in answer.stderr
    answer = vertex_vllm(*command, "--delete-prefix", f"gs://{bucket.name}/weights")
    assert answer.returncode == 1
    assert set(answer.stdout.splitlines()) == {f"removed: {name}", f"removed: {version.name.partition('@')[0]}@1"}
    assert "does not carry this project's label" in answer.stderr
    answer = vertex_vllm(*command)
    nothing = f"no endpoint or model of {plan.deployment} in project {in_vertex.project}, any region\n"
    assert (answer.returncode, answer.stderr) == (0, nothing)


def test_only_superseded_endpoints_go_and_a_live_one_goes_with_consent_alone(
    in_vertex: Vertex, make_plan: MakePlan
) -> None:
    first = make_plan()
    old, new = (_promoted(in_vertex, plan) for plan in (first, replace(first, args=("--max-model-len=2048",))))
    place = ("--project", in_vertex.project, "--region", REGION)

    def stages() -> dict[str, str]:
        return {endpoint.name: endpoint.labels["vertex-vllm-stage"] for endpoint in in_vertex.endpoints()}

    back = vertex_vllm("rollback", first.deployment, *place)
    assert (back.returncode, back.stdout) == (0, f"live: {old}\nsuperseded: {new}\n")
    assert stages() == {old: "live", new: "superseded"}
    assert vertex_vllm("rollback", first.deployment, "--to", "no-such", *place).returncode == 2
    forward = vertex_vllm("rollback", first.deployment, "--to", new.rpartition("/")[2], *place)
    assert forward.returncode == 0, forward.stderr

    dry = vertex_vllm("teardown", first.deployment, "--superseded", "--dry-run", *place)
    assert (dry.returncode, len(dry.stdout.splitlines())) == (0, 2)
    assert f"would remove: {old}" in dry.stdout.splitlines()
    assert stages() == {old: "superseded", new: "live"}
    removed = vertex_vllm("teardown", first.deployment, "--superseded", *place)
    assert removed.returncode == 0, removed.stderr
    assert f"removed: {old}" in removed.stdout.splitlines()
    assert (stages(), len(in_vertex.versions())) == ({new: "live"}, 1)
    none = vertex_vllm("rollback", first.deployment, *place)
    assert (none.returncode, none.stdout) == (2, "")
    assert "no superseded endpoint" in none.stderr

    refused = vertex_vllm("teardown", first.deployment, *place)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--yes" in refused.stderr
    assert vertex_vllm("teardown", first.deployment, "--yes", *place).returncode == 0
    assert names(in_vertex) == ()


def _promoted(in_vertex: Vertex, plan: ServingPlan) -> str:
    name = in_vertex.deploy(plan)
    model = in_vertex.endpoint(name).deployed_models[0]
    version = f"{model.model.partition('@')[0]}@{model.model_version_id}"
    promote_endpoint(in_vertex.project, REGION, name, version, Owner(plan.deployment, "run-1"))
    return name


@pytest.mark.slow
def test_the_commands_of_the_page_do_what_it_says(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    prepared(in_vertex.project)
    in_vertex.deploy(plan)
    values = {"PROJECT": in_vertex.project, "DEPLOYMENT": plan.deployment, "RUN": "run-1", "configs/*.yaml": CONFIGS[0]}
    for words in commands_in("cleanup.md", **values):
        answer = vertex_vllm(*words[1:])
        assert answer.returncode == 0, answer.stderr
    assert names(in_vertex) == ()
