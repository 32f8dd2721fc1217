"""Refusals of Google's services with the command that removes their cause."""

from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError, InvalidArgument, PermissionDenied
from google.rpc.error_details_pb2 import ErrorInfo

from vertex_vllm.errors import RegionClosedError, ServiceError
from vertex_vllm.google import error_boundary as tested


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
    ids=["in a region", "on the project", "disabled", "act as", "another reason", "another error"],
)
def test_the_command_follows_from_the_reason(error: Exception, fix: str) -> None:
    assert tested.remedy(error) == fix


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
