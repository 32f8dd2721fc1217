"""The `schedules` of a config: what they may say, and how their faults are told."""

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud.services.pipelines.cron_times import parse_cron
from vertex_vllm.config import load_deployment
from vertex_vllm.config.catalogue_check import Fault
from vertex_vllm.config.cron import cron_fault
from vertex_vllm.config.deployment import Deployment, Model
from vertex_vllm.config.schedule import Schedule
from vertex_vllm.config.schedule_check import check_schedules
from vertex_vllm.errors import ConfigError

HEAD = "name: x\nmodel:\n  id: HuggingFaceTB/SmolLM2-135M-Instruct\nschedules:\n"


def written(tmp_path: Path, schedules: str) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + dedent(schedules).strip("\n") + "\n")
    return path


def faults(tmp_path: Path, schedules: str) -> list[str]:
    """Without the file, which is the same for all."""
    path = written(tmp_path, schedules)
    with pytest.raises(ConfigError) as caught:
        load_deployment(path)
    return [str(fault).removeprefix(f"{path}:") for fault in caught.value.faults]


def test_all_that_a_schedule_can_say(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        - name: nightly
          cron: 0 3 * * 1-5
          time_zone: Europe/Zurich
          pipeline: deploy
          parameters:
            keep_endpoint: false
            min_exact_match: 0.5
            extra_args: [--enable-lora]
          start: "2030-01-31T08:00:00Z"
          end: "2030-12-31T20:00:00+01:00"
          max_run_count: 10
        - name: down
          cron: 0 19 * * *
          pipeline: teardown
        """,
    )
    assert load_deployment(path).schedules == [
        Schedule(
            name="nightly",
            cron="0 3 * * 1-5",
            time_zone="Europe/Zurich",
            pipeline="deploy",
            parameters={"keep_endpoint": False, "min_exact_match": 0.5, "extra_args": ["--enable-lora"]},
            start="2030-01-31T08:00:00Z",
            end="2030-12-31T20:00:00+01:00",
            max_run_count=10,
        ),
        Schedule(name="down", cron="0 19 * * *", pipeline="teardown"),
    ]


def test_the_faults_of_fields_are_told_each_with_its_line(tmp_path: Path) -> None:
    assert faults(
        tmp_path,
        """
        - name: Nightly
          cron: every day
          time_zone: Mars/Base
          pipelin: deploy
          start: 2030-01-31T08:00:00Z
          max_run_count: -1
        - name: b
          cron: TZ=Europe/Zurich 0 3 * * *
          start: tomorrow
        - name: c
          cron: 61 * * * *
          start: "2030-01-02T00:00:00Z"
          end: "2030-01-01T00:00:00Z"
        """,
    ) == [
        "5: schedules[0].name: must be 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and not "
        "ending with a hyphen",
        "6: schedules[0].cron: must be minute hour day-of-month month day-of-week, for example 0 3 * * 1-5",
        "7: schedules[0].time_zone: must be a name of the IANA time zone database, for example Europe/Zurich",
        "8: schedules[0].pipelin: unknown field. Did you mean pipeline?",
        "9: schedules[0].start: is read as a timestamp. Put it in quotes if it is meant as text",
        "10: schedules[0].max_run_count: must be at least 1",
        "12: schedules[1].cron: must not name a time zone. Give it as time_zone",
        '13: schedules[1].start: must be a time with its offset, in quotes, for example "2030-01-31T08:00:00Z"',
        "15: schedules[2].cron: has a bad minute. It is minute hour day-of-month month day-of-week, for example "
        "0 3 * * 1-5",
        "17: schedules[2].end: must be after start, which is 2030-01-02T00:00:00Z",
    ]


def test_two_schedules_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    two = "- {name: a, cron: 0 3 * * *}\n- {name: a, cron: 0 4 * * *}"
    assert faults(tmp_path, two) == ["4: schedules: two are named a"]


def test_what_is_replaced_must_be_a_parameter_of_the_pipeline_and_fit(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        - name: a
          cron: 0 3 * * *
          parameters:
            spot: maybe
            deployment: another
            machine: g2-standard-8
            min_exact_match: true
        - name: b
          cron: 0 3 * * *
          parameters:
            machine_type: g2-standard-9
        - name: c
          cron: 0 3 * * *
          pipeline: evaluate
        """,
    )
    assert [fault.partition(". Known")[0] for fault in found] == [
        "8: schedules[0].parameters.spot: must be of type bool",
        "9: schedules[0].parameters.deployment: must be the deployment's. Put the schedule into the file of the other "
        "deployment",
        "10: schedules[0].parameters.machine: deploy has no such parameter",
        "11: schedules[0].parameters.min_exact_match: must be of type float",
        "15: schedules[1].parameters.machine_type: g2-standard-9 is not in the catalogue of machines. Did you mean "
        "g2-standard-96 or g2-standard-8 or g2-standard-4?",
        "16: schedules[2].parameters: evaluate needs endpoint. Endpoint to evaluate, "
        "projects/P/locations/REGION/endpoints/ID.",
    ]


FIELDS = st.lists(st.text("0123456789*/-,#LWMONJULfri", min_size=1, max_size=6) | st.just("*"), min_size=4, max_size=6)


@given(st.text(max_size=20) | FIELDS.map(" ".join))
@example("0 3 * * " + "1" * 5000)
@example("0 0 L/2 * *")
def test_a_cron_that_a_config_may_have_is_one_that_a_schedule_takes(cron: str) -> None:
    if cron_fault(cron):
        return
    assert parse_cron(f"TZ=Europe/Zurich {' '.join(cron.split())}").fields == " ".join(cron.split())


def test_a_schedule_that_would_never_run_is_refused(tmp_path: Path) -> None:
    assert faults(
        tmp_path,
        """
        - name: over
          cron: 0 3 * * *
          end: "2020-01-01T00:00:00Z"
        - name: none
          cron: 0 3 * * *
        """,
    ) == [
        "7: schedules[0].end: is past, so that nothing would run. Name a later one, or take the schedule out",
    ]
    assert faults(
        tmp_path,
        """
        - name: none
          cron: 0 3 * * *
          max_run_count: 0
        """,
    ) == ["7: schedules[0].max_run_count: must be at least 1"]


@pytest.mark.parametrize(
    ("cron", "start", "end", "runs"),
    [
        ("0 3 29 2 *", "2096-03-01T00:00:00Z", "2103-12-31T00:00:00Z", False),
        ("0 3 29 2 *", "2096-02-01T00:00:00Z", "2103-12-31T00:00:00Z", True),
        ("0 3 1 1 *", "2098-06-01T00:00:00Z", "2098-12-31T23:59:00Z", False),
        ("0 0 1 1 *", "2098-06-01T00:00:00Z", "2098-12-31T23:30:00Z", True),
        ("0 3 * * *", "2098-06-01T04:00:00Z", "2098-06-02T00:00:00Z", False),
        ("0 3 29 2 *", "9999-12-01T00:00:00Z", "9999-12-31T00:00:00Z", False),
    ],
)
def test_a_schedule_runs_before_its_end(cron: str, start: str, end: str, runs: bool) -> None:
    schedule = Schedule(name="one", cron=cron, time_zone="Europe/Zurich", start=start, end=end)
    model = Model(id="org/model")
    found = check_schedules(Deployment(name="x", model=model, schedules=[schedule]))
    words = "comes before the first time of the cron, so that nothing would run. Name a later one"
    assert found == (() if runs else (Fault(("schedules", 0, "end"), words),))
