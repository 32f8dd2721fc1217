"""Refusals of Google's services with the command that removes their cause."""

import json
from dataclasses import replace
from typing import Any

import pytest
from google.api_core.exceptions import (
    GoogleAPICallError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RetryError,
    ServiceUnavailable,
)
from google.auth.exceptions import RefreshError
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import DeploymentError, RegionClosedError, ServiceError, TeardownError
from vertex_vllm.google import error_boundary as tested
from vertex_vllm.google.storage_words import json_words
from vertex_vllm.retries import TRANSIENT


@pytest.fixture(autouse=True)
def caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "own_member", lambda: "user:me@example.com")


def refusal(reason: str, **metadata: str) -> GoogleAPICallError:
    return PermissionDenied("denied", error_info=ErrorInfo(reason=reason, metadata=metadata))


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (
            refusal("IAM_PERMISSION_DENIED", permission="a.b.c", resource="projects/p/locations/us-east4/endpoints/1"),
            "user:me@example.com lacks a.b.c. Run `vertex-vllm bootstrap --project p --region us-east4`: it grants "
            "each account what it needs (docs/security.md).",
        ),
        (
            refusal("IAM_PERMISSION_DENIED", permission="a.b.c", resource="projects/p"),
            "user:me@example.com lacks a.b.c. Run `vertex-vllm bootstrap --project p --region REGION`: it grants each "
            "account what it needs (docs/security.md).",
        ),
        (
            refusal("SERVICE_DISABLED", service="a.googleapis.com", consumer="projects/p"),
            "Run `gcloud services enable a.googleapis.com --project=p`, wait a minute, try again.",
        ),
        (
            PermissionDenied(
                "Some API has not been used in project 42 before or it is disabled. Enable it by visiting "
                "https://console.developers.google.com/apis/api/a.googleapis.com/overview?project=42 then retry."
            ),
            "Run `gcloud services enable a.googleapis.com --project=42`, wait a minute, try again.",
        ),
        (
            InvalidArgument(
                "You do not have permission to act as service_account: a@p.iam.gserviceaccount.com. (or it may not "
                "exist)."
            ),
            "Grant it: gcloud iam service-accounts add-iam-policy-binding a@p.iam.gserviceaccount.com "
            "--member=user:me@example.com --role=roles/iam.serviceAccountUser",
        ),
        (refusal("CONSUMER_INVALID"), ""),
        (ValueError("x"), ""),
    ],
    ids=[
        "in a region",
        "on the project",
        "disabled",
        "disabled, in words",
        "act as",
        "another reason",
        "another error",
    ],
)
def test_the_command_follows_from_the_reason(error: Exception, fix: str) -> None:
    assert tested.remedy(tested.refusal_of(error)) == fix


@pytest.mark.parametrize(
    "error",
    [refusal("LOCATION_POLICY_VIOLATED"), PermissionDenied("Location me-central2: LOCATION_POLICY_VIOLATED")],
    ids=["reason", "words"],
)
def test_a_region_that_the_project_may_not_use_is_an_error_of_its_own(error: Any) -> None:
    with pytest.raises(RegionClosedError), tested.google_errors("Vertex AI", "here"):
        raise error


def test_any_other_refusal_keeps_the_service_s_words() -> None:
    with pytest.raises(ServiceError, match=r"^here: Vertex AI: denied"), tested.google_errors("Vertex AI", "here"):
        raise refusal("CONSUMER_INVALID")


INFO = {"permission": "a.b.c", "resource": "projects/p"}
REFUSAL = Refusal("PERMISSION_DENIED", "denied", "IAM_PERMISSION_DENIED", "projects/p", INFO)


def test_an_operation_and_a_call_refuse_with_the_same_value() -> None:
    info = ErrorInfo(reason="IAM_PERMISSION_DENIED", metadata=INFO)
    status = Status(code=code_pb2.PERMISSION_DENIED, message="denied")
    status.details.add().Pack(BadRequest())
    status.details.add().Pack(info)
    assert tested.refusal_in(status) == REFUSAL
    assert tested.refusal_of(PermissionDenied("denied", error_info=info)) == REFUSAL
    assert str(REFUSAL) == "PERMISSION_DENIED: denied"


def test_an_answer_over_rest_refuses_with_the_same_reason_and_resource() -> None:
    error = {"code": 403, "message": "denied", "details": [{"reason": "IAM_PERMISSION_DENIED", "metadata": INFO}]}
    assert json_words(403, json.dumps({"error": error}).encode()) == replace(REFUSAL, code="403")


@pytest.mark.parametrize("kind", [DeploymentError, TeardownError, ServiceError])
def test_the_error_carries_the_refusal(kind: Any) -> None:
    with pytest.raises(kind) as raised, tested.google_errors("Vertex AI", doing="Looking", error=kind):
        raise refusal("IAM_PERMISSION_DENIED", **INFO)
    assert (raised.value.refusal, raised.value.retryable) == (REFUSAL, False)
    assert str(raised.value).startswith("Looking: Vertex AI answered PERMISSION_DENIED: denied. user:me@example.com")


def test_the_same_refusals_are_retryable_as_a_value_and_as_an_exception() -> None:
    raised = [kind("x") for kind in TRANSIENT if issubclass(kind, GoogleAPICallError)]
    assert all(tested.refusal_of(error).retryable for error in raised)
    assert not any(tested.refusal_of(kind("x")).retryable for kind in (NotFound, PermissionDenied, InvalidArgument))


def test_a_service_that_gave_no_answer_is_retryable() -> None:
    with pytest.raises(ServiceError, match="gone") as raised, tested.google_errors("Vertex AI", "here"):
        raise RetryError("Timeout of 60.0s exceeded", ServiceUnavailable("gone"))
    assert raised.value.retryable


def test_credentials_that_cannot_be_refreshed_are_told_with_the_login() -> None:
    boundary = tested.google_errors("Vertex AI", doing="Looking", error=DeploymentError)
    with pytest.raises(ServiceError) as raised, boundary:
        raise RefreshError("the key was revoked")
    assert raised.value.message == "Looking: no usable Google credentials for Vertex AI: the key was revoked"
    assert raised.value.fix.startswith("Run `gcloud auth application-default login`")
