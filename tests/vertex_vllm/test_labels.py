"""Labels: legal whatever the names are, read back as they were meant, and a time to live that every step agrees on."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.config.expiry import expiry, lifetime
from vertex_vllm.errors import InputError
from vertex_vllm.labels import EXPIRES_LABEL, KEEP_LABEL, Marks, Owner, extended

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=8)


def test_everything_is_labelled_with_whose_it_is_and_until_when() -> None:
    labels = Owner("llama", "Deploy-Llama-1", "0123456789", "search-team", NOON).labels
    assert labels == {
        "managed-by": "vertex-vllm",
        "vertex-vllm-deployment": "llama",
        "vertex-vllm-run": "deploy-llama-1",
        "vertex-vllm-config": "0123456789",
        "vertex-vllm-owner": "search-team",
        "vertex-vllm-expires": "1795608000",
    }
    assert Marks.of(labels) == Marks("llama", "deploy-llama-1", "0123456789", "search-team", NOON, keep=False)
    assert Marks.of({KEEP_LABEL: ""}).keep


def test_what_is_not_said_is_not_labelled() -> None:
    assert Owner("llama", "run-1").labels == {
        "managed-by": "vertex-vllm",
        "vertex-vllm-deployment": "llama",
        "vertex-vllm-run": "run-1",
        "vertex-vllm-expires": "never",
    }


@given(st.text(), st.text(), st.text(), st.datetimes(datetime(1970, 1, 2), datetime(2286, 1, 1)))
def test_labels_are_legal_whatever_the_names_are(deployment: str, run: str, owner: str, moment: datetime) -> None:
    labels = Owner(deployment, run, responsible=owner, expires=moment.replace(tzinfo=UTC)).labels
    assert all(re.fullmatch(r"[a-z0-9_-]{1,63}", value) for value in labels.values())
    assert Marks.of(labels).expires == moment.replace(tzinfo=UTC, microsecond=0)


@given(st.text())
def test_an_expiry_that_nobody_of_ours_wrote_is_none(text: str) -> None:
    moment = Marks.of({EXPIRES_LABEL: text}).expires
    assert moment is None or re.fullmatch("[0-9]{1,10}", text)


@pytest.mark.parametrize(
    ("ttl", "span"),
    [
        ("", None),
        ("30m", timedelta(minutes=30)),
        ("8h", timedelta(hours=8)),
        ("7d", timedelta(days=7)),
        ("365d", timedelta(days=365)),
    ],
)
def test_a_time_to_live_is_a_number_and_a_unit(ttl: str, span: timedelta | None) -> None:
    assert lifetime(ttl) == span
    assert expiry(ttl, "2026-11-25T12:00:00Z") == (None if span is None else NOON + span)


@pytest.mark.parametrize("ttl", ["8", "h", "29m", "366d", "-8h", "08h", "8 h", "8H", "1w", "8h\n", "١h", "9999999d"])
def test_no_other_text_is_one(ttl: str) -> None:
    with pytest.raises(InputError, match="for example 8h or 7d"):
        lifetime(ttl)


@pytest.mark.parametrize(
    "started", ["2026-11-25T12:00:00", "2026-11-25T13:00:00+01:00", "2026-11-25T12:00:00.123456789Z"]
)
def test_the_runs_start_may_be_written_in_any_of_the_ways_that_services_do(started: str) -> None:
    moment = expiry("8h", started)
    assert moment is not None
    assert moment.replace(microsecond=0) == LATER


@pytest.mark.parametrize("started", ["", "now", "{{$.pipeline_job_create_time_utc}}"])
def test_a_start_that_is_no_time_is_refused(started: str) -> None:
    with pytest.raises(InputError, match="ISO 8601"):
        expiry("8h", started)


@pytest.mark.parametrize(
    ("there", "wanted", "then"),
    [(NOON, LATER, LATER), (LATER, NOON, LATER), (NOON, None, None), (None, NOON, None), (None, None, None)],
)
def test_who_finds_a_thing_prolongs_its_life_and_never_shortens_it(
    there: datetime | None, wanted: datetime | None, then: datetime | None
) -> None:
    labels = extended(Owner("a", "run-1", expires=there).labels, Owner("a", "run-2", expires=wanted).labels)
    assert Marks.of(labels) == Marks("a", "run-1", "", "", then, keep=False)
