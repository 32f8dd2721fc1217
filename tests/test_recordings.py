"""Recordings: written, scrubbed, read, replayed and compared. Their values are this file's own."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recordings import __main__ as score
from benchmarks.recordings.comparing import Comparison, Difference
from benchmarks.recordings.deliberate import Row, load_rows, load_unrecorded, reasons
from benchmarks.recordings.learnt_names import LearntNames
from benchmarks.recordings.record import main as record
from benchmarks.recordings.recorded_form import Exchange, Sequence, encoded_body, read_sequences
from benchmarks.recordings.replaying import Outcome, Replay, differences_of
from benchmarks.recordings.scrubbing import Scrubber
from benchmarks.recordings.sending import Answer
from benchmarks.recordings.setting_up import recorded_accounts
from localcloud.daemon import Connection

NAMES = LearntNames({"projectId": "my-project", "projectNumber": "424242424242"})


def differences(recorded: Any, answered: Any, ignore: tuple[str, ...] = (), samples: tuple[str, ...] = ()) -> list[str]:
    compared = Comparison(NAMES.fill, ignore, samples)
    compared.body(recorded, answered)
    return [f"{one.kind} {one.path}" for one in compared.found]


def test_bodies_are_compared_field_by_field() -> None:
    recorded = {"name": "projects/${projectId}/a", "size": "3", "nested": {"list": [1, 2]}, "gone": True}
    answered = {"name": "projects/my-project/a", "size": 3, "nested": {"list": [1]}, "new": None}

    assert differences(recorded, answered) == ["type .size", "length .nested.list", "missing .gone", "extra .new"]
    assert differences(recorded, answered, ignore=("size", "nested", "gone", "new")) == []


def test_values_that_no_two_runs_share_are_compared_by_their_form() -> None:
    recorded = {"etag": "a", "createTime": "2020-01-01T00:00:00Z", "selfLink": "https://www.example.com/b/1"}
    answered = {"etag": "b", "createTime": "2021-01-01T00:00:00.123456Z", "selfLink": "https://storage.example.com/b/1"}

    assert differences(recorded, answered) == []
    assert differences(recorded, {**answered, "createTime": "now"}) == ["value .createTime"]


def test_lists_that_are_sets_and_lists_of_the_recorded_project() -> None:
    recorded = {"bindings": [{"role": "a"}, {"role": "b"}], "models": [{"name": "x"}, {"name": "y"}]}
    answered = {"bindings": [{"role": "b"}, {"role": "a"}], "models": [{"name": "z"}]}

    assert differences(recorded, answered) == ["length .models", "value .models[0].name"]
    assert differences(recorded, answered, samples=("models",)) == []


def test_headers_are_compared_by_their_kind() -> None:
    compared = Comparison(NAMES.fill, (), ())
    recorded = {"content-type": "text/plain; charset=utf-8", "x-goog-hash": "crc32c=a, md5=b", "etag": '"x"'}
    compared.headers(
        recorded, {"content-type": "text/plain", "x-goog-hash": "md5=b,crc32c=a", "location": "/"}, json_api=False
    )

    assert compared.found == [
        Difference("extra", "header location", None, "/"),
        Difference("missing", "header etag", '"x"', None),
    ]


def test_names_are_learnt_from_answers_and_filled_into_requests() -> None:
    names = LearntNames({"projectNumber": "424242424242"})
    url = "https://example.com/projects/${projectNumber}/operations/${operationID}"
    assert names.has_unknown(url)
    names.learn(
        {"name": "projects/${projectNumber}/operations/${operationID}"}, {"name": "projects/424242424242/operations/7"}
    )
    names.learn({"nextPageToken": "recorded=="}, {"nextPageToken": "here+"})
    names.learn({"model": "models/123456789012345"}, {"model": "models/9"})
    names.learn({"name": "operations/acat.p2-1-0a"}, {"name": "operations/finished.7"})
    names.learn("v1/sha256:" + "a" * 64, "v1/sha256:" + "b" * 64)

    assert not names.has_unknown(url)
    assert names.fill(url) == "https://example.com/projects/424242424242/operations/7"
    assert names.fill("?pageToken=recorded%3D%3D&x=1") == "?pageToken=here%2B&x=1"
    assert names.fill("models/123456789012345@1") == "models/9@1"
    assert names.fill("v1/operations/acat.p2-1-0a?x=1") == "v1/operations/finished.7?x=1"
    assert names.fill("sha256:" + "a" * 64) == "sha256:" + "b" * 64


def test_a_write_brings_the_etag_of_the_latest_read() -> None:
    names = LearntNames({})
    names.remember_etag("example.com/a", {"etag": "mine"})
    body = {"policy": {"etag": "recorded", "bindings": []}}

    assert names.with_current_etag(body, "example.com/a") == {"policy": {"etag": "mine", "bindings": []}}


@pytest.mark.parametrize(
    ("body", "content", "kind"),
    [
        (None, None, ""),
        ("${projectId}", b"my-project", ""),
        ({"a": "${projectId}"}, b'{"a": "my-project"}', "application/json"),
        ({"base64": "AAE="}, b"\x00\x01", ""),
        ({"raw": "a=${projectId}", "content_type": "text/x"}, b"a=my-project", "text/x"),
    ],
)
def test_bodies_are_sent_as_they_were_recorded(body: Any, content: bytes | None, kind: str) -> None:
    assert encoded_body(body, NAMES.fill) == (content, kind)


def test_accounts_that_a_recording_names_and_does_not_create() -> None:
    def policy(*members: str) -> dict[str, Any]:
        return {"bindings": [{"role": "roles/viewer", "members": members}]}

    ours = "serviceAccount:{}@${{projectId}}.iam.gserviceaccount.com".format
    writes = [
        Exchange("POST", "u", {"accountId": "made-here"}, 200, {}),
        Exchange("PUT", "u", policy(ours("made-here"), ours("was-there"), "user:a@example.com"), 200, {}),
        Exchange("PUT", "u", policy("serviceAccount:elsewhere@other.iam.gserviceaccount.com"), 200, {}),
    ]
    setup = ({"call": {"method": "PUT", "url": "u", "body": policy(ours("in-setup"), ours("${uniqueId}-x"))}},)
    sequence = Sequence("a", "storage", "real", tuple(writes), setup)
    assert recorded_accounts(sequence) == ["in-setup", "was-there"]


def test_a_line_that_is_no_sequence_is_named(tmp_path: Path) -> None:
    file = tmp_path / "recordings.jsonl"
    file.write_text('{"fixture": "a", "service": "s", "tier": "real", "exchanges": []}\n{"fixture": "b"}\n')
    with pytest.raises(ValueError, match="line 2"):
        list(read_sequences(file))


def outcome(*found: Difference, verdict: str = "different", status: int = 200) -> Outcome:
    exchange = Exchange("GET", "https://example.com/v1/things/1", None, 200, {})
    return Outcome("a", 0, "things", exchange, verdict, Answer(status), found)


def test_a_difference_is_meant_only_where_a_row_explains_each_one() -> None:
    row = Row("small", "GET https://example.com/*", r"missing \.a", "because")
    other = Row("status", "GET https://example.com/*", "status 200 404", "because")
    one, two = Difference("missing", ".a", 1, None), Difference("missing", ".b", 1, None)

    assert reasons(outcome(one), [row]) == [row]
    assert reasons(outcome(one, two), [row]) == []
    assert reasons(outcome(verdict="status", status=404), [row, other]) == [other]


def test_the_list_of_deliberate_differences_has_a_reason_each() -> None:
    rows = load_rows()
    assert all(row.id and row.request and row.difference and len(row.reason) > 5 for row in rows)
    assert all(len(reason) > 20 for reason in load_unrecorded().values())


def test_the_table_counts_by_service() -> None:
    lines = score.table(
        [outcome(verdict="exact"), outcome(Difference("missing", ".b", 1, None)), outcome(verdict="unserved")]
    )
    assert lines.splitlines()[1].split() == ["things", "1", "0", "1", "0", "0", "1", "0", "0", "50.0%"]


def test_a_recording_of_the_local_cloud_is_replayed_exactly_and_a_change_is_seen(
    cloud: Connection, recorded: Path
) -> None:
    (sequence,) = read_sequences(recorded)
    replay = Replay(cloud_token())
    inexact = [
        (one.exchange.url, one.verdict, one.differences) for one in replay.run(sequence) if one.verdict != "exact"
    ]
    assert inexact == []
    first, *others = sequence.exchanges
    changed = Exchange(first.method, first.url, first.request_body, 418, first.response_body)
    verdicts = [one.verdict for one in replay.run(Sequence("changed", "x", "real", (changed, *others)))]
    assert verdicts[0] == "status"


def test_a_recording_holds_both_protocols_and_nothing_of_its_maker(recorded: Path, project: str) -> None:
    text = recorded.read_text()
    exchanges = json.loads(text)["exchanges"]
    assert {exchange["method"] for exchange in exchanges} == {"GRPC", "GET", "POST", "DELETE"}
    hosts = {exchange["url"].split("/")[2] for exchange in exchanges if exchange["method"] != "GRPC"}
    assert hosts >= {"storage.googleapis.com", "iam.googleapis.com", "secretmanager.googleapis.com"}
    for secret in (cloud_token(), "the value of a secret", "ada@elsewhere.example.org", "203.0.113.7", "recorder-test"):
        assert secret not in text
    assert "${projectId}" in text
    assert "${projectNumber}" in text
    assert list(Scrubber().leaks(text)) == []


def test_what_a_command_ends_with_is_what_recording_it_ends_with(tmp_path: Path) -> None:
    file = tmp_path / "failed.jsonl"
    assert record(["--output", str(file), "--", sys.executable, "-c", "raise SystemExit(7)"]) == 7
    assert json.loads(file.read_text())["exchanges"] == []


def judged(recorded: dict[str, Any], answered: dict[str, Any]) -> list[str]:
    exchange = Exchange("GET", "https://us-central1-aiplatform.googleapis.com/v1/x", None, 200, recorded)
    answer = Answer(200, body=json.dumps(answered).encode())
    return [f"{one.kind} {one.path}" for one in differences_of(exchange, answer, Sequence("a", "v", "real", ()), NAMES)]


def test_how_far_a_job_is_counts_when_it_has_ended() -> None:
    running = {"name": "n", "state": "PIPELINE_STATE_RUNNING", "jobDetail": {"taskDetails": []}}
    ended = {"name": "n", "state": "PIPELINE_STATE_FAILED", "endTime": "2026-01-01T00:00:00Z"}
    assert judged(running, ended) == []
    assert judged(ended, {**ended, "state": "PIPELINE_STATE_SUCCEEDED"}) == ["value .state"]
    assert judged({"state": "ACTIVE"}, {"state": "DELETED"}) == ["value .state"]


def cloud_token() -> str:
    return Path(os.environ["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"]).read_text().strip()


_COMMAND = """
import google.auth
from google.auth.transport.requests import AuthorizedSession
from google.cloud import aiplatform_v1, secretmanager_v1, storage

project = "recorder-test"
bucket = storage.Client(project=project).create_bucket(f"{project}-bucket", location="us-east1")
bucket.blob("greeting").upload_from_string("hello")
assert bucket.blob("greeting").download_as_bytes() == b"hello"
bucket.blob("greeting").delete()
bucket.delete()
secrets = secretmanager_v1.SecretManagerServiceClient(transport="rest")
secret = secrets.create_secret(parent=f"projects/{project}", secret_id="s", secret={"replication": {"automatic": {}}})
secrets.add_secret_version(parent=secret.name, payload={"data": b"the value of a secret"})
secrets.access_secret_version(name=f"{secret.name}/versions/latest")
secrets.delete_secret(name=secret.name)
parent = f"projects/{project}/locations/us-central1"
options = {"api_endpoint": "us-central1-aiplatform.googleapis.com"}
endpoints = aiplatform_v1.EndpointServiceClient(client_options=options)
endpoint = endpoints.create_endpoint(parent=parent, endpoint={"display_name": "at 203.0.113.7"}).result()
endpoints.get_endpoint(name=endpoint.name)
endpoints.delete_endpoint(name=endpoint.name).result()
session = AuthorizedSession(google.auth.default()[0])
iam = f"https://iam.googleapis.com/v1/projects/{project}/serviceAccounts"
fields = {"description": "ada@elsewhere.example.org"}
account = session.post(iam, json={"accountId": "recorded", "serviceAccount": fields})
session.delete(f"https://iam.googleapis.com/v1/{account.json()['name']}").raise_for_status()
"""


@pytest.fixture(scope="module")
def recorded(cloud: Connection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the local cloud, made as one of the real cloud would be."""
    file = tmp_path_factory.mktemp("recorded") / "recording.jsonl"
    arguments = ["--output", str(file), "--hide", "recorder-test=${projectId}", "--", sys.executable, "-c", _COMMAND]
    before = os.environ.get("GOOGLE_CLOUD_PROJECT")
    os.environ["GOOGLE_CLOUD_PROJECT"] = "recorder-test"
    try:
        assert record(arguments) == 0
    finally:
        os.environ["GOOGLE_CLOUD_PROJECT"] = str(before)
    return file
