"""Settings that Cloud Storage refuses, and those that the local one refuses because it does not carry them out."""

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, PreconditionFailed

from localcloud.services.storage.bucket_checks import check_bucket
from localcloud.services.storage.storage_errors import StorageError


def refused(settings: dict[str, Any], kind: str = "region") -> tuple[int, str]:
    with pytest.raises(StorageError) as error:
        check_bucket(settings, kind)
    return error.value.status, error.value.message


@pytest.mark.parametrize(
    "labels",
    [
        {"Team": "x"},
        {"1team": "x"},
        {"-team": "x"},
        {"": "x"},
        {"team": "X"},
        {"team": "a b"},
        {"team.name": "x"},
        {"x" * 64: "x"},
        {"team": "x" * 64},
        {"ü" * 63 + "x": "x"},
        {f"label-{number}": "x" for number in range(65)},
    ],
)
def test_labels_that_are_refused(labels: dict[str, str]) -> None:
    status, message = refused({"labels": labels})
    assert status == 400
    assert "labels" in message


@pytest.mark.parametrize("labels", [{}, {"team": ""}, {"größe": "1-a_b"}, {"x" * 63: "y" * 63}, {"名前": "値"}])
def test_labels_that_are_taken(labels: dict[str, str]) -> None:
    check_bucket({"labels": labels}, "region")


@pytest.mark.parametrize(
    ("settings", "kind", "status", "words"),
    [
        ({"iamConfiguration": {"publicAccessPrevention": "unexpected"}}, "region", 400, "publicAccessPrevention"),
        ({"rpo": "FAST"}, "dual-region", 400, "rpo"),
        ({"rpo": "ASYNC_TURBO"}, "region", 400, "dual-region"),
        ({"rpo": "ASYNC_TURBO"}, "multi-region", 400, "dual-region"),
        ({"encryption": {"defaultKmsKeyName": "projects/p/…"}}, "region", 501, "encryption.defaultKmsKeyName"),
        (
            {"encryption": {"googleManagedEncryptionEnforcementConfig": {"restrictionMode": "FullyRestricted"}}},
            "region",
            501,
            "googleManagedEncryptionEnforcementConfig",
        ),
        (
            {"encryption": {"customerManagedEncryptionEnforcementConfig": {"restrictionMode": "sometimes"}}},
            "region",
            400,
            "restrictionMode",
        ),
        ({"billing": {"requesterPays": True}}, "region", 501, "billing.requesterPays"),
        ({"ipFilter": {"mode": "Enabled"}}, "region", 501, "ipFilter.mode"),
    ],
)
def test_other_settings_that_are_refused(settings: dict[str, Any], kind: str, status: int, words: str) -> None:
    found, message = refused(settings, kind)
    assert found == status
    assert words in message


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"rpo": "ASYNC_TURBO"}, "dual-region"),
        ({"rpo": "DEFAULT"}, "region"),
        ({"billing": {"requesterPays": False}, "ipFilter": {"mode": "Disabled"}}, "region"),
        ({"iamConfiguration": {"publicAccessPrevention": "enforced"}}, "region"),
        (
            {"encryption": {"customerManagedEncryptionEnforcementConfig": {"restrictionMode": "FullyRestricted"}}},
            "region",
        ),
    ],
)
def test_settings_that_are_taken(settings: dict[str, Any], kind: str) -> None:
    check_bucket(settings, kind)


def test_the_client_is_refused_too(bucket: Any) -> None:
    bucket.labels = {"Team": "x"}
    with pytest.raises(BadRequest, match="labels"):
        bucket.patch()
    bucket.reload()
    bucket.iam_configuration.public_access_prevention = "unexpected value"
    with pytest.raises(BadRequest, match="publicAccessPrevention"):
        bucket.patch()
    bucket.reload()
    bucket.default_kms_key_name = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    with pytest.raises(MethodNotImplemented, match="Cloud KMS"):
        bucket.patch()


def test_nobody_is_let_in_where_public_access_is_prevented(bucket: Any) -> None:
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.patch()
    with pytest.raises(PreconditionFailed, match="public access prevention"):
        bucket.make_public()
    policy = bucket.get_iam_policy()
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
    with pytest.raises(PreconditionFailed, match="public access prevention"):
        bucket.set_iam_policy(policy)


def test_a_key_of_cloud_kms_is_not_stored_and_forgotten(bucket: Any) -> None:
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    blob = bucket.blob("encrypted", kms_key_name=key)
    with pytest.raises(MethodNotImplemented, match="kmsKeyName"):
        blob.upload_from_string(b"text")
    plain = bucket.blob("plain")
    plain.upload_from_string(b"text")
    with pytest.raises(MethodNotImplemented, match="destinationKmsKeyName"):
        bucket.blob("copy", kms_key_name=key).rewrite(plain)
    assert [each.name for each in bucket.list_blobs()] == ["plain"]
