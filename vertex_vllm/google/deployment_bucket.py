"""The deployment's bucket: created, or checked to be the project's own and in the endpoint's region."""

import re
from typing import TYPE_CHECKING

from vertex_vllm.errors import BucketError
from vertex_vllm.google.bucket_settings import UNFINISHED_UPLOAD_DAYS, check_fit, settings_of
from vertex_vllm.google.error_boundary import google_errors, refusal_of
from vertex_vllm.google.iam import grant_on_bucket
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.labels import Owner

if TYPE_CHECKING:
    from google.cloud.storage import Bucket, Client

READER = "roles/storage.objectViewer"
_NAMING_RULES = (
    "Use 3 to 63 lower-case letters, digits, hyphens and underscores, begun and ended by a letter or digit, without "
    "'goog' in front or 'google' inside: https://cloud.google.com/storage/docs/buckets#naming"
)


def check_bucket_name(bucket: str) -> str:
    """`bucket`, if Cloud Storage would take it ("Bucket names"). Raises BucketError."""
    parts = bucket.split(".")
    legal = (
        re.fullmatch(r"[a-z0-9][a-z0-9._-]+[a-z0-9]", bucket) is not None
        and len(bucket) <= (63 if len(parts) == 1 else 222)
        and all(0 < len(part) <= 63 and part[0] != "-" and part[-1] != "-" for part in parts)
        and re.fullmatch(r"\d+\.\d+\.\d+\.\d+", bucket) is None
        and not bucket.startswith("goog")
        and "google" not in bucket.replace("0", "o")
    )
    if not legal:
        raise BucketError(f"{bucket!r} is not a bucket name", bucket=bucket, where="bucket", fix=_NAMING_RULES)
    return bucket


def setup_bucket(project: str, region: str, bucket: str, owner: Owner, reader_service_account: str) -> str:
    """Makes sure that `bucket` exists, is in `region` and of `project`, and may be read by the account that serves.

    A new bucket gets uniform access, no public access, the owner's labels, and a rule that clears away unfinished
    uploads; one that exists keeps its settings. An empty account means the serving account that bootstrap creates.
    Returns `gs://bucket`. Raises BucketError when the bucket is in another region or project, when this account may not
    set it up, or when its settings do not allow a mirror; ServiceError when Cloud Storage fails.
    """
    from google.api_core.exceptions import BadRequest, Forbidden

    from vertex_vllm.project_names import serving_account

    check_bucket_name(bucket)
    uri = f"gs://{bucket}"
    with google_errors("Cloud Storage", uri):
        client = storage_client(project)
        found = _find(client, project, region, bucket) or _create(client, project, region, bucket, owner)
        _check_location(found, region)
        check_fit(settings_of(found), bucket)
        account = serving_account(reader_service_account, project)
        try:
            grant_on_bucket(found, READER, f"serviceAccount:{account}")
        except Forbidden as error:
            refusal = refusal_of(error)
            said = f"this account cannot let {account} read: {refusal.words}"
            raise BucketError(said, bucket=bucket, fix=_prepare(project, region), refusal=refusal) from error
        except BadRequest as error:
            fix = f"{_prepare(project, region)} It creates that account; or name another as serving_service_account."
            refusal = refusal_of(error)
            said = f"cannot let {account} read: {refusal.words}"
            raise BucketError(said, bucket=bucket, fix=fix, refusal=refusal) from error
    return uri


def is_of_project(project: str, bucket: str) -> bool:
    """Whether there is a bucket that `project` may use: its own, or one whose owner the caller may not find out.

    Raises BucketError for another project's bucket, and the client's errors.
    """
    from google.api_core.exceptions import Forbidden

    client = storage_client(project)
    found = client.lookup_bucket(bucket)
    if found is None:
        return False
    try:
        own = {other.name for other in client.list_buckets(prefix=bucket, project=project)}
    except Forbidden:
        return True  # Cloud Storage refuses the first object that the caller may not write.
    if bucket not in own:
        raise _foreign(bucket, project, f"number {found.project_number}")
    return True


def _find(client: "Client", project: str, region: str, bucket: str) -> "Bucket | None":
    """The bucket, if it exists. Raises BucketError if it is not the project's."""
    from google.api_core.exceptions import Forbidden

    try:
        found = client.lookup_bucket(bucket)
    except Forbidden as error:
        refusal = refusal_of(error)
        raise BucketError(
            f"the bucket is another project's, or we lack storage.buckets.get on it: {refusal.words}",
            bucket=bucket,
            refusal=refusal,
            fix="Name another bucket: names are shared by all of Google Cloud. If it is ours: "
            + _prepare(project, region),
        ) from error
    if found is None:
        return None
    try:
        # The project's own listing proves it without the Resource Manager API, which many projects have disabled.
        own = {other.name for other in client.list_buckets(prefix=bucket, project=project)}
    except Forbidden as error:
        raise _not_allowed(bucket, project, "storage.buckets.list", error) from error
    if bucket not in own:
        raise _foreign(bucket, project, f"number {found.project_number}")
    return found


def _create(client: "Client", project: str, region: str, bucket: str, owner: Owner) -> "Bucket":
    from google.api_core.exceptions import Conflict, Forbidden
    from google.cloud.storage.constants import PUBLIC_ACCESS_PREVENTION_ENFORCED

    wanted = client.bucket(bucket)
    wanted.iam_configuration.uniform_bucket_level_access_enabled = True
    wanted.iam_configuration.public_access_prevention = PUBLIC_ACCESS_PREVENTION_ENFORCED
    # No soft deletion: deleted weights can be mirrored again, and would be billed for another week ("Soft delete").
    wanted.soft_delete_policy.retention_duration_seconds = 0
    wanted.labels = owner.labels
    wanted.add_lifecycle_abort_incomplete_multipart_upload_rule(age=UNFINISHED_UPLOAD_DAYS)
    try:
        return client.create_bucket(wanted, project=project, location=region)
    except Conflict as error:
        # Another caller created it meanwhile, perhaps another run of this deployment.
        found = _find(client, project, region, bucket)
        if found is None:
            raise _foreign(bucket, project, "the name is taken") from error
        return found
    except Forbidden as error:
        refusal = refusal_of(error)
        said = f"we lack storage.buckets.create: {refusal.words}"
        raise BucketError(said, bucket=bucket, fix=_prepare(project, region), refusal=refusal) from error


def _check_location(bucket: "Bucket", region: str) -> None:
    location = str(bucket.location).lower()
    if location != region.lower():
        other = f", or deploy to {location}" if re.fullmatch(r"[a-z]+-[a-z]+\d+", location) else ""
        raise BucketError(
            f"the bucket is in {location}, the deployment in {region}",
            bucket=str(bucket.name),
            fix=f"Name another bucket, which is then made in {region}{other}: from another region, weights load slowly "
            "and at a price.",
        )


def _foreign(bucket: str, project: str, whose: str) -> BucketError:
    return BucketError(
        f"the bucket exists and is not of project {project}: it is another project's ({whose})",
        bucket=bucket,
        fix="Name another bucket: names are shared by all of Google Cloud.",
    )


def _prepare(project: str, region: str) -> str:
    return f"Run `vertex-vllm bootstrap --project {project} --region {region}`, which makes the bucket and its grants."


def _not_allowed(bucket: str, project: str, permission: str, error: Exception) -> BucketError:
    refusal = refusal_of(error)
    return BucketError(
        f"we lack {permission}: {refusal.words}",
        bucket=bucket,
        refusal=refusal,
        fix=f"Grant roles/storage.admin in project {project} to whoever runs this, or have the bucket made by somebody "
        "who has it.",
    )
