"""Filters, order and pages of list methods."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import ListPipelineJobsRequest, PipelineJob, PipelineState
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud.core.api_errors import ApiError
from localcloud.core.filters import compile_filter
from localcloud.core.paging import page

Request = ListPipelineJobsRequest.pb()


def _job(name: str, state: PipelineState, hour: int, **labels: str) -> Any:
    return PipelineJob.pb()(
        name=f"projects/1/locations/r/pipelineJobs/{name}",
        display_name=name,
        state=state,
        create_time=datetime(2026, 1, 1, hour, tzinfo=UTC),
        labels=labels,
        job_detail={},
    )


JOBS = [
    _job("deploy-1", PipelineState.PIPELINE_STATE_SUCCEEDED, 1, team="red", stage="live"),
    _job("deploy-2", PipelineState.PIPELINE_STATE_FAILED, 2, team="blue"),
    _job('odd "name"', PipelineState.PIPELINE_STATE_RUNNING, 3),
]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", [0, 1, 2]),
        ('display_name="deploy-1"', [0]),
        ("displayName=deploy-1", [0]),
        ('display_name="deploy-*"', [0, 1]),
        (r'display_name="odd \"name\""', [2]),
        ('display_name!="deploy-1"', [1, 2]),
        ("labels.team=red", [0]),
        ("labels.team!=red", [1, 2]),
        ("labels.team:*", [0, 1]),
        ("labels:stage", [0]),
        ("labels:red", []),
        ('labels."stage"="live"', [0]),
        ('state="PIPELINE_STATE_FAILED"', [1]),
        ('create_time>"2026-01-01T01:30:00Z"', [1, 2]),
        ('create_time<="2026-01-01T02:00:00Z" AND NOT labels.team=blue', [0]),
        # OR binds more tightly than AND: this is state AND (red OR blue).
        ("state=PIPELINE_STATE_FAILED AND labels.team=red OR labels.team=blue", [1]),
        ("(state=PIPELINE_STATE_FAILED AND labels.team=blue) OR labels.team=red", [0, 1]),
        ("display_name:deploy labels.team:blue", [1]),
        ("job_id=deploy-2", [1]),
    ],
)
def test_filters(text: str, chosen: list[int]) -> None:
    matches = compile_filter(text, {"job_id": lambda job: job.name.rpartition("/")[2]})
    assert [index for index, job in enumerate(JOBS) if matches(job)] == chosen


@pytest.mark.parametrize(
    "text",
    [
        "display_name",
        "display_name=",
        "=x",
        "(display_name=a",
        "display_name=a)",
        "no_such_field=1",
        'create_time>"noon"',
        pytest.param("(" * 5000 + "name=a" + ")" * 5000, id="nested parentheses"),
        pytest.param("NOT " * 5000 + "name=a", id="nested NOT"),
    ],
)
def test_wrong_filters_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        page(JOBS, Request(filter=text))
    assert refused.value.code == "INVALID_ARGUMENT"


@given(st.text(alphabet='abc.="*()!<>: \\ANDORT', max_size=40))
@example(".::")
def test_no_filter_breaks_the_service(text: str) -> None:
    with suppress(ApiError):
        page(JOBS, Request(filter=text))


@given(size=st.integers(1, 4))
def test_pages_put_together_are_the_whole_list(size: int) -> None:
    found, token = page(JOBS, Request(page_size=size, order_by="create_time desc"))
    while token:
        more, token = page(JOBS, Request(page_size=size, order_by="create_time desc", page_token=token))
        assert len(more) <= size
        found += more
    assert found == JOBS[::-1]


@pytest.mark.parametrize(
    "request_",
    [
        Request(page_token="junk"),
        Request(page_size=-1),
        Request(order_by="nothing"),
        Request(order_by="name up"),
        Request(order_by="job_detail"),
    ],
)
def test_wrong_pages_are_refused(request_: Any) -> None:
    with pytest.raises(ApiError) as refused:
        page(JOBS, request_)
    assert refused.value.code == "INVALID_ARGUMENT"
