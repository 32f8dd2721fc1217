"""Refusals in JSON or XML read into one value; those of Cloud Storage with the remedy that their reason allows."""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import BucketError, ServiceError

_LONGEST_WORDS = 600
# google-api-core and google-resumable-media put the request before the words.
_REQUEST = re.compile(r"^(?:GET|HEAD|POST|PUT|PATCH|DELETE) https?://\S+:\s+", re.DOTALL)
_PLACE = re.compile(r"gs://([^/]+)")
_OBJECT = re.compile(r"^Object '([^']+)'")


@dataclass(frozen=True)
class _Known:
    """One reason for a refusal, as the documentation or public reports word it."""

    sign: re.Pattern[str]
    """Searched in reason and message."""
    fix: str
    of_the_bucket: bool = True
    """The bucket's settings are the reason: raised as BucketError."""


def _known(sign: str, fix: str, *, of_the_bucket: bool = True) -> _Known:
    return _Known(re.compile(sign, re.IGNORECASE), fix, of_the_bucket)


# Cloud Storage, "Object holds" and "Bucket Lock", "Object Retention Lock".
_HELD = _known(
    r"ObjectUnderActiveHold|under active.*hold",
    "Release it: gcloud storage objects update {object} --no-temporary-hold --no-event-based-hold. If new objects are "
    "held, too: gcloud storage buckets update {bucket} --no-default-event-based-hold.",
)
_RETAINED = _known(
    r"retentionPolicyNotMet|retention policy|retention configuration",
    "A mirror replaces and deletes its bookkeeping: use a bucket without a retention policy and without a default "
    "event-based hold. gcloud storage buckets describe {bucket} shows them.",
)
_KNOWN = (
    _HELD,
    _RETAINED,
    # Organization Policy, "Constraints"; before keys and places, which constraints are about.
    _known(
        r"constraints?/(?P<constraint>[\w.]+)",
        "Ask for an exception, or keep to it: gcloud org-policies describe {constraint} --project=PROJECT --effective.",
    ),
    # Cloud Storage, "Customer-managed encryption keys": the project's service agent encrypts and decrypts.
    _known(
        r"Cloud KMS|kms key|encryption key",
        "Let Cloud Storage use the key: gcloud storage service-agent --project=PROJECT --authorize-cmek=KEY, and see "
        "that the key is enabled.",
    ),
    # VPC Service Controls, "Troubleshoot": the unique identifier finds the refusal in the audit log.
    _known(
        r"vpcServiceControls|VPC Service Controls|Security_?Policy_?Violated|prohibited by organization's policy",
        "Have this caller let through the service perimeter; the unique identifier finds the refusal in its audit log.",
    ),
    # Cloud Storage, "Requester Pays".
    _known(
        r"requester pays|UserProjectMissing|userProjectMissing",
        "The owner of the bucket must pay for requests, as a serving container names no project: "
        "gcloud storage buckets update {bucket} --no-requester-pays; or name another bucket.",
    ),
    _known(
        r"bucket does not exist|NoSuchBucket",
        "Create it: gcloud storage buckets create {bucket} --location=REGION --uniform-bucket-level-access "
        "--public-access-prevention; or `vertex-vllm bootstrap`, which makes a project's buckets.",
    ),
    _known(
        r"billing|accountDisabled|UserAccountProblem", "Enable billing for the bucket's project.", of_the_bucket=False
    ),
    _known(
        r"ip.?filter",
        "Let this address through the bucket's IP filter: gcloud storage buckets describe {bucket} --format='value("
        "ip_filter_config)' shows it.",
        of_the_bucket=False,
    ),
    _known(
        r"accessNotConfigured|SERVICE_DISABLED|has not been used in project",
        "Enable it: gcloud services enable storage.googleapis.com --project=PROJECT; it takes a minute.",
        of_the_bucket=False,
    ),
    _known(
        r"Anonymous caller|authError|Invalid Credentials|AuthenticationRequired",
        "Sign in: gcloud auth application-default login; a workload takes the credentials of its service account.",
        of_the_bucket=False,
    ),
    # "IAM roles for Cloud Storage".
    _known(
        r"storage\.buckets\.\w+",
        "Grant the caller roles/storage.admin on the bucket, or run `vertex-vllm bootstrap`, which makes the grants.",
        of_the_bucket=False,
    ),
    _known(
        r"storage\.(?:objects|multipartUploads|folders)\.\w+",
        "Grant the caller roles/storage.objectUser: gcloud storage buckets add-iam-policy-binding {bucket} "
        "--member=MEMBER --role=roles/storage.objectUser; `vertex-vllm bootstrap` makes such grants.",
        of_the_bucket=False,
    ),
)


def json_words(status: int, body: bytes) -> Refusal:
    """The refusal in an answer of the JSON API; a body of XML or text is read as such."""
    text = body[:100_000].decode(errors="replace").strip()
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return xml_words(status, body) if text.startswith("<") else Refusal(str(status), _one_line(text))
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, str):  # OAuth's form.
        described = told.get("error_description", "") if isinstance(told, dict) else ""
        return Refusal(str(status), _one_line(str(described)), error)
    if not isinstance(error, dict):
        return Refusal(str(status))
    info = next((each for each in _details(error) if isinstance(each.get("metadata"), dict)), {})
    metadata = {str(key): str(value) for key, value in dict(info.get("metadata") or {}).items()}
    message = _one_line(str(error.get("message") or ""))
    return Refusal(str(status), message, _reason(error), metadata.get("resource", ""), metadata)


def xml_words(status: int, body: bytes) -> Refusal:
    """The refusal in an answer of the XML API: its code, and its message with the details, which say more."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return Refusal(str(status))
    told = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root}
    message, details = told.get("Message", ""), told.get("Details", "")
    both = message if details in message else f"{message} {details}"
    return Refusal(str(status), _one_line(both), told.get("Code", ""))


def words_of_error(error: Exception) -> Refusal:
    """The refusal in an error that google-cloud-storage raised."""
    response = getattr(error, "response", None)
    status = int(getattr(response, "status_code", 0) or getattr(error, "code", 0) or 0)
    content = getattr(response, "content", None)
    if isinstance(content, bytes) and content.strip():
        return json_words(status, content)
    message = _REQUEST.sub("", str(getattr(error, "message", "") or error))
    if message.lstrip().startswith(("{", "<")):
        return json_words(status, message.encode())
    reasons = [str(each.get("reason", "")) for each in getattr(error, "errors", None) or [] if isinstance(each, dict)]
    return Refusal(str(status), _one_line(message), reasons[0] if reasons else "")


def refused_by_storage(said: Refusal, where: str, prefix: str = "Cloud Storage") -> BucketError | ServiceError:
    """The error to raise: BucketError where the bucket is missing or set up so that it cannot be used.

    `where` is a gs:// place or the name of a project.
    """
    place = _PLACE.match(where)
    bucket = f"gs://{place[1] if place else 'BUCKET'}"
    shown = f"{prefix}: {said.words}"
    named = _OBJECT.search(said.message)
    of_object = shlex.quote(f"gs://{named[1]}") if named else f"{bucket}/OBJECT"
    for known in _KNOWN:
        if found := known.sign.search(f"{said.reason} {said.message}"):
            fix = known.fix.format(bucket=bucket, object=of_object, **found.groupdict())
            if known.of_the_bucket:
                return BucketError(shown, bucket=bucket.removeprefix("gs://"), where=where, fix=fix, refusal=said)
            return ServiceError(shown, where=where, fix=fix, refusal=said)
    return ServiceError(shown if said.message or prefix == "Cloud Storage" else prefix, where=where, refusal=said)


def keeps_objects(said: Refusal) -> bool:
    """True where a hold or a retention policy refused to let an object be replaced or deleted."""
    return said.code in ("400", "403", "409", "412") and any(
        kept.sign.search(f"{said.reason} {said.message}") for kept in (_HELD, _RETAINED)
    )


def _reason(error: dict[str, Any]) -> str:
    errors = error.get("errors")
    first = errors[:1] if isinstance(errors, list) else []
    for found in (*first, *_details(error)):
        if isinstance(found, dict) and isinstance(found.get("reason"), str):
            return str(found["reason"])
    return str(error.get("status") or "")


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []


def _one_line(text: str) -> str:
    """The text on one line, without control characters: a service's text is untrusted."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
