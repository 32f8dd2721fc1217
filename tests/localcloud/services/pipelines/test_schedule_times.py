"""Times of schedules: cron in its time zone, and the states of a schedule as the clock moves."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import Schedule

from localcloud.services.pipelines.cron_times import parse_cron
from localcloud.services.pipelines.schedule_times import SCHEDULE, complete, is_due, plan_next, skip_missed, wakes_at


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 3 * * *", "2026-11-22T03:00", "2026-11-23T03:00"),
        ("TZ=Europe/Zurich 0 3 * * *", "2026-07-01T00:00", "2026-07-01T01:00"),
        ("CRON_TZ=America/New_York 30 8 * * 1-5", "2026-11-20T14:00", "2026-11-23T13:30"),
        ("*/15 * * * *", "2026-11-22T10:59:59", "2026-11-22T11:00"),
        ("0 0 1 jul *", "2026-11-22T00:00", "2027-07-01T00:00"),
        ("0 0 1 1 *", "2026-11-22T00:00", "2027-01-01T00:00"),
        ("0 0 * * 7", "2026-11-22T00:00", "2026-11-29T00:00"),
        # 13th or Friday, as in every cron.
        ("0 0 13 * FRI", "2026-11-22T00:00", "2026-11-27T00:00"),
        # The clocks skip 02:30 on 2026-03-29 in Zurich, and show 02:30 twice on 2026-10-25.
        ("TZ=Europe/Zurich 30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("TZ=Europe/Zurich 30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_cron_is_read_in_its_time_zone(cron: str, after: str, expected: str) -> None:
    assert parse_cron(cron).after(at(after)) == at(expected)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "of the form"),
        ("* * * *", "of the form"),
        ("0 0 3 * * *", "of the form"),
        ("@daily", "of the form"),
        ("0 0 L * *", "of the form"),
        ("0 0 L/2 * *", "of the form"),
        ("0 0 * * 5L", "of the form"),
        ("0 0 * * 1#2", "of the form"),
        ("60 * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("TZ=Mars/Base 0 3 * * *", "'Mars/Base'"),
        ("TZ=Europe 0 3 * * *", "'Europe'"),
        ("TZ=../../etc/passwd 0 3 * * *", "'../../etc/passwd'"),
    ],
)
def test_a_wrong_cron_says_what_is_wrong(cron: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_cron(cron)


def schedule(**fields: Any) -> Any:
    made = SCHEDULE(cron="0 * * * *", state=Schedule.State.ACTIVE, max_run_count=fields.get("max_run_count", 0))
    made.start_time.FromDatetime(at("2026-01-01T00:30"))
    if "end" in fields:
        made.end_time.FromDatetime(at(fields["end"]))
    return made


def next_run(schedule: Any) -> datetime | None:
    return schedule.next_run_time.ToDatetime(tzinfo=UTC) if schedule.HasField("next_run_time") else None


def test_the_first_run_comes_after_the_start() -> None:
    hourly = schedule()
    plan_next(hourly, at("2025-12-31T00:00"))
    assert next_run(hourly) == at("2026-01-01T01:00")
    assert not is_due(hourly, at("2026-01-01T00:59"))
    assert is_due(hourly, at("2026-01-01T01:00"))


def test_no_run_comes_after_the_end_when_the_schedule_is_completed() -> None:
    ending = schedule(end="2026-01-01T02:30")
    plan_next(ending, at("2026-01-01T01:00"))
    assert next_run(ending) == at("2026-01-01T02:00")
    plan_next(ending, at("2026-01-01T02:00"))
    assert (next_run(ending), wakes_at(ending)) == (None, at("2026-01-01T02:30"))
    complete(ending, at("2026-01-01T02:29"))
    assert ending.state == Schedule.State.ACTIVE
    complete(ending, at("2026-01-01T02:30"))
    assert (ending.state, wakes_at(ending)) == (Schedule.State.COMPLETED, None)


def test_the_last_of_the_runs_asked_for_completes_it() -> None:
    twice = schedule(max_run_count=2)
    plan_next(twice, at("2026-01-01T01:00"))
    for count, state in ((1, Schedule.State.ACTIVE), (2, Schedule.State.COMPLETED)):
        twice.started_run_count = count
        complete(twice, at("2026-01-01T01:00"))
        assert twice.state == state
    assert next_run(twice) is None


@pytest.mark.parametrize(("catch_up", "expected"), [(False, "2026-01-01T06:00"), (True, "2026-01-01T02:00")])
def test_what_was_missed_is_made_up_for_only_when_that_was_asked_for(catch_up: bool, expected: str) -> None:
    missed = schedule()
    plan_next(missed, at("2026-01-01T01:00"))
    missed.catch_up = catch_up
    skip_missed(missed, at("2026-01-01T05:00") + timedelta(minutes=1))
    assert next_run(missed) == at(expected)
