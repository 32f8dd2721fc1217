"""Refusals of Cloud Storage, in JSON and XML: one value, the service's own words, and the remedy of their reason."""

import json
from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPICallError, NotFound

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import BucketError, ServiceError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_words import (
    json_words,
    keeps_objects,
    refused_by_storage,
    words_of_error,
    xml_words,
)

URL = "https://storage.googleapis.com/upload/storage/v1/b/weights/o?uploadType=multipart&upload_id=canary"
CMEK = "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account may use this key."
PERIMETER = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc"


def document(message: str, reason: str = "forbidden", code: int = 403) -> bytes:
    error = {"code": code, "message": message, "errors": [{"message": message, "reason": reason}]}
    return json.dumps({"error": error}).encode()


def xml(code: str, message: str, details: str = "") -> bytes:
    detailed = f"<Details>{details}</Details>" if details else ""
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{detailed}</Error>".encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (document(CMEK), Refusal("403", CMEK, "forbidden")),
        (b'{"error": {"message": "m", "status": "PERMISSION_DENIED"}}', Refusal("403", "m", "PERMISSION_DENIED")),
        (
            b'{"error": {"message": "m", "details": [{"reason": "SERVICE_DISABLED"}]}}',
            Refusal("403", "m", "SERVICE_DISABLED"),
        ),
        (
            b'{"error": "invalid_grant", "error_description": "Bad\\nJWT"}',
            Refusal("403", "Bad JWT", "invalid_grant"),
        ),
        (xml("AccessDenied", "Access denied.", CMEK), Refusal("403", f"Access denied. {CMEK}", "AccessDenied")),
        (b"plain words", Refusal("403", "plain words")),
        (b"", Refusal("403")),
        (b'{"error": {"message": null, "errors": [7]}}', Refusal("403")),
        (b"[1]", Refusal("403")),
        (b"<html>", Refusal("403")),
        (b"[" * 100_000, Refusal("403", "[" * 600 + "…")),
    ],
)
def test_the_words_of_an_answer(body: bytes, said: Refusal) -> None:
    assert json_words(403, body) == said


def test_details_say_more_than_the_message_and_are_not_said_twice() -> None:
    assert xml_words(403, xml("A", "All of it.", "All of it.")) == Refusal("403", "All of it.", "A")
    namespaced = b"<Error xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Code>A</Code><Message>m</Message></Error>"
    assert xml_words(403, namespaced) == Refusal("403", "m", "A")


def of_response(body: bytes, kind: type[GoogleAPICallError] = Forbidden) -> GoogleAPICallError:
    response = requests.Response()
    response.status_code, response._content = int(kind.code or 0), body
    return kind(f"POST {URL}: {body.decode()}", response=response)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_response(document(CMEK)), Refusal("403", CMEK, "forbidden")),
        (Forbidden(f"POST {URL}: {document(CMEK).decode()}"), Refusal("403", CMEK, "forbidden")),
        (Forbidden(f"GET {URL}: the words", errors=[{"reason": "r"}]), Refusal("403", "the words", "r")),
        (NotFound("only words"), Refusal("404", "only words")),
    ],
)
def test_the_words_of_an_error(error: GoogleAPICallError, said: Refusal) -> None:
    assert words_of_error(error) == said


REASONS: dict[str, tuple[Refusal, type[Exception], str]] = {
    "the key of a bucket": (Refusal("403", CMEK, "forbidden"), BucketError, "--authorize-cmek"),
    "a service perimeter": (Refusal("403", PERIMETER, "vpcServiceControls"), BucketError, "perimeter"),
    "a service perimeter, in XML": (Refusal("403", "x", "SecurityPolicyViolated"), BucketError, "perimeter"),
    "requester pays": (
        Refusal("400", "Bucket is a requester pays bucket but no user project provided.", "required"),
        BucketError,
        "gs://weights --no-requester-pays",
    ),
    "requester pays, in XML": (Refusal("400", "x", "UserProjectMissing"), BucketError, "--no-requester-pays"),
    "retention": (Refusal("403", "x", "retentionPolicyNotMet"), BucketError, "describe gs://weights"),
    "a hold": (
        Refusal("403", "Object 'weights/models/a b' is under active Event-Based hold"),
        BucketError,
        "gcloud storage objects update 'gs://weights/models/a b' --no-temporary-hold --no-event-based-hold",
    ),
    "a hold on an object that is not named": (
        Refusal("403", "x", "ObjectUnderActiveHold"),
        BucketError,
        "objects update",
    ),
    "a perimeter without its identifier": (
        Refusal("403", "Request is prohibited by organization's policy."),
        BucketError,
        "perimeter",
    ),
    "a perimeter, in gRPC": (Refusal("403", "x", "SECURITY_POLICY_VIOLATED"), BucketError, "perimeter"),
    "a constraint": (
        Refusal("412", "'us' violates constraint 'constraints/gcp.resourceLocations'", "conditionNotMet"),
        BucketError,
        "gcloud org-policies describe gcp.resourceLocations --project=PROJECT --effective",
    ),
    "a filter of addresses": (
        Refusal("403", "There is an IP filtering condition that is preventing access to the resource."),
        ServiceError,
        "gcloud storage buckets describe gs://weights",
    ),
    "nobody's request": (
        Refusal("401", "Anonymous caller does not have storage.objects.get access"),
        ServiceError,
        "gcloud auth application-default login",
    ),
    "credentials that are over": (Refusal("401", "Invalid Credentials", "authError"), ServiceError, "gcloud auth"),
    "a disabled API": (
        Refusal("403", "Cloud Storage has not been used in project 1 before", "accessNotConfigured"),
        ServiceError,
        "gcloud services enable storage.googleapis.com",
    ),
    "no bucket": (
        Refusal("404", "The specified bucket does not exist.", "notFound"),
        BucketError,
        "gcloud storage buckets create gs://weights ",
    ),
    "no bucket, in XML": (Refusal("404", "x", "NoSuchBucket"), BucketError, "buckets create gs://weights "),
    "no billing": (
        Refusal("403", "The billing account for the owning project is disabled", "accountDisabled"),
        ServiceError,
        "Enable billing",
    ),
    "no permission": (
        Refusal("403", "a@b does not have storage.objects.create access", "forbidden"),
        ServiceError,
        "roles/storage.objectUser",
    ),
    "no permission on the bucket": (
        Refusal("403", "Permission 'storage.buckets.get' denied on resource (or it may not exist)"),
        ServiceError,
        "roles/storage.admin",
    ),
    "a reason of next year": (Refusal("403", "no way", "forbidden"), ServiceError, ""),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_remedy_follows_from_the_reason(name: str) -> None:
    said, kind, fix = REASONS[name]
    error = refused_by_storage(said, "gs://weights/models/a")
    assert type(error) is kind
    assert error.message == f"Cloud Storage: {said.words}"
    assert fix in error.fix if fix else not error.fix


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (
            of_response(
                document("Bucket is a requester pays bucket but no user project provided.", "required"), BadRequest
            ),
            BucketError,
            "gs://weights: Cloud Storage: Bucket is a requester pays bucket but no user project provided. The owner",
        ),
        (of_response(document("no way")), ServiceError, "gs://weights: Cloud Storage: no way"),
    ],
)
def test_no_url_and_no_raw_json_is_told(error: Exception, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as raised, google_errors("Cloud Storage", "gs://weights"):
        raise error
    assert str(raised.value).startswith(told)
    assert "canary" not in str(raised.value)
    assert "{" not in str(raised.value)


def test_what_keeps_an_object() -> None:
    held: Any = Refusal("403", "x", "ObjectUnderActiveHold")
    assert keeps_objects(held)
    assert not keeps_objects(Refusal("403", "no permission", "forbidden"))
