"""Sends a recorded sequence to the environment's services, and compares the answer of each exchange."""

import json
import re
import secrets
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.recordings.comparing import Comparison, Difference
from benchmarks.recordings.learnt_names import LearntNames
from benchmarks.recordings.recorded_form import Exchange, Sequence, encoded_body
from benchmarks.recordings.sending import Answer, GrpcClient, HttpClient
from benchmarks.recordings.setting_up import HubSetup, set_up, set_up_project
from localcloud.services.hosts import route_of

_OPERATION_SECONDS = 30.0
_POLL_SECONDS = 0.2
_FINAL_STATE = re.compile(r"_(CANCELLED|SUCCEEDED|FAILED)$")
_GRPC_PACKAGES = {
    "/google.cloud.resourcemanager.": "resource-manager",
    "/google.cloud.secretmanager.": "secret-manager",
    "/google.devtools.artifactregistry.": "artifact-registry",
    "/google.devtools.cloudbuild.": "cloud-build",
    "/google.api.serviceusage.": "service-usage",
    "/google.api.cloudquotas.": "cloud-quotas",
}
# Fields of a job that show its progress, which depends on speed until it has ended.
_PROGRESS = ("state", "jobDetail", "startTime", "endTime", "updateTime", "error")
# Lists, also of buckets, whose elements belong to the recorded project.
_OF_THE_PROJECT = ("services", "models", "schedules", "folders", "tagKeys", "tagValues")
_BUCKET = re.compile(r"https://(?:storage|www)\.googleapis\.com/(?:(?:upload/|download/)?storage/v1/b/)?([^/?]+)")
_REFRESH_TOKEN = re.compile(rb"(?<=\brefresh_token=)[^&\s\"]+")
_GIVEN = {"user": "user@example.com", "organizationID": "111111111111", "folderID": "222222222222"}


@dataclass(frozen=True)
class Outcome:
    """The result of one exchange. `verdict` is

    exact, different, status (another one), unserved (the service says that it does not do this), late (the real service
    did not show yet what it had just made), or blocked (it names something that could not be made).
    """

    fixture: str
    number: int
    service: str
    exchange: Exchange
    verdict: str
    answer: Answer
    differences: tuple[Difference, ...] = ()


class Replay:
    """`token`: of a caller with every right. `hub`: puts repositories on the Hub; None: sequences that need one are
    blocked. `refresh_token`: of the same caller, in the place of those that the recordings do not tell."""

    def __init__(self, token: str, hub: HubSetup | None = None, refresh_token: str = "") -> None:
        self._http, self._grpc, self._token, self._hub = HttpClient(), GrpcClient(token), token, hub
        self._refresh_token = refresh_token

    def run(self, sequence: Sequence) -> Iterator[Outcome]:
        """Replays a sequence, in order, in a project of its own."""
        project = f"replay-{secrets.token_hex(6)}"
        names = LearntNames(
            {
                **_GIVEN,
                "projectId": project,
                "projectNumber": self._project_number(project),
                "uniqueId": f"r{secrets.token_hex(5)}",
                "hubToken": f"hf_{secrets.token_hex(17)}",
            }
        )
        set_up_project(sequence, names, self.send)
        ready = set_up(sequence.setup, names, self.send, self._hub)
        made = {names.fill(step["bucket"]["name"]) for step in sequence.setup if "bucket" in step}
        for number, exchange in enumerate(sequence.exchanges):
            if not ready:
                yield Outcome(sequence.fixture, number, _service(exchange), exchange, "blocked", Answer(0))
                continue
            yield self._outcome(sequence, number, exchange, names, made)

    def send(
        self, method: str, url: str, body: Any, names: LearntNames, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Sends a request with the recorded `body`. Requests to the Hub keep their own token, or none."""
        content, content_type = encoded_body(body, names.fill)
        sent = {name.title(): names.fill(value) for name, value in (headers or {}).items() if name != "host"}
        if content_type:
            sent["Content-Type"] = content_type
        if content and self._refresh_token:
            content = _REFRESH_TOKEN.sub(urllib.parse.quote(self._refresh_token, safe="").encode(), content)
        if urllib.parse.urlsplit(url).hostname != "huggingface.co":
            sent.setdefault("Authorization", f"Bearer {self._token}")
        try:
            return self._http.send(method, names.fill(url), sent, content)
        except OSError as error:
            return Answer(501, body=json.dumps(str(error)).encode())

    def _outcome(
        self, sequence: Sequence, number: int, exchange: Exchange, names: LearntNames, made: set[str]
    ) -> Outcome:
        service = _service(exchange)
        if names.has_unknown(exchange.url):
            return Outcome(sequence.fixture, number, service, exchange, "blocked", Answer(0))
        resource = _resource(names.fill(exchange.url))
        answer = self._answer(exchange, names, resource)
        if answer.status == _status(exchange):
            text = isinstance(exchange.response_body, str)
            names.learn(exchange.response_body, answer.body.decode("utf-8", "replace") if text else answer.json)
            names.remember_etag(resource, answer.json)
            if exchange.method == "POST" and isinstance(answer.json, dict):
                made.add(str(answer.json.get("name")))
        verdict, differences = _judge(exchange, answer, sequence, names, made, resource)
        return Outcome(sequence.fixture, number, service, exchange, verdict, answer, differences)

    def _answer(self, exchange: Exchange, names: LearntNames, resource: str) -> Answer:
        body = names.with_current_etag(exchange.request_body, resource) if _is_json(exchange) else exchange.request_body
        if exchange.method == "GRPC":
            fields = json.loads(names.fill(json.dumps(body or {})))
            region = re.search(r"locations/([a-z0-9-]+)", json.dumps(fields))
            place = region[1] if region else "us-central1"
            try:
                return _awaited(lambda: self._grpc.call(exchange.url, fields, place), exchange)
            except KeyError:
                return Answer("UNIMPLEMENTED")
        url = exchange.url.replace("https://www.googleapis.com/", "https://storage.googleapis.com/")
        return _awaited(lambda: self.send(exchange.method, url, body, names, exchange.request_headers), exchange)

    def _project_number(self, project: str) -> str:
        """Makes a project with Compute Engine's default account, which the recorded projects have."""
        headers = {"Authorization": f"Bearer {self._token}"}
        compute = f"https://serviceusage.googleapis.com/v1/projects/{project}/services/compute.googleapis.com:enable"
        self._http.send("POST", compute, headers, None)
        url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}"
        return str(self._http.send("GET", url, headers, None).json["name"]).partition("/")[2]


def _judge(
    exchange: Exchange, answer: Answer, sequence: Sequence, names: LearntNames, made: set[str], resource: str
) -> tuple[str, tuple[Difference, ...]]:
    if answer.status != _status(exchange):
        return _other_status(exchange, answer, names, made, resource), ()
    found = differences_of(exchange, answer, sequence, names)
    return ("different" if found else "exact"), found


def differences_of(
    exchange: Exchange, answer: Answer, sequence: Sequence, names: LearntNames
) -> tuple[Difference, ...]:
    """The verdict on an answer with the recorded status."""
    recorded = exchange.response_body
    ignored = (*sequence.ignore, *exchange.ignore, *(_PROGRESS if _is_under_way(recorded) else ()))
    compared = Comparison(names.fill, ignored, _samples(exchange))
    if exchange.method == "GRPC":
        if exchange.status == "OK":
            compared.body(recorded, answer.json)
        return tuple(compared.found)
    if isinstance(recorded, dict | list) and not (isinstance(recorded, dict) and set(recorded) == {"base64"}):
        compared.body(recorded, _as_early(recorded, answer.json))
    elif exchange.method != "HEAD":
        compared.content(recorded, answer.body)
    if exchange.status != 204:
        compared.headers(exchange.response_headers, answer.headers, json_api=not _is_of_bytes(exchange))
    return tuple(compared.found)


def _other_status(exchange: Exchange, answer: Answer, names: LearntNames, made: set[str], resource: str) -> str:
    if _is_unserved(answer):
        return "unserved"
    if exchange.method == "GET" and exchange.status == 404 and answer.status == 200:
        return "late" if any(resource.endswith(name) for name in made) else "status"
    if "/operations/" in resource and answer.status == 404:
        # The operation's call was not served, so its name is unknown.
        return "blocked"
    bucket = _BUCKET.match(names.fill(exchange.url))
    made_elsewhere = bucket is not None and answer.status == 404 and bucket[1] not in made
    return "blocked" if made_elsewhere else "status"


def _is_under_way(recorded: Any) -> bool:
    state = recorded.get("state") if isinstance(recorded, dict) else None
    return str(state).startswith(("JOB_STATE_", "PIPELINE_STATE_")) and not _FINAL_STATE.search(str(state))


def _samples(exchange: Exchange) -> tuple[str, ...]:
    """Lists in an answer whose elements belong to the recorded project."""
    path = urllib.parse.urlsplit(exchange.url).path
    if path.endswith((":getIamPolicy", "/iam")) and exchange.method != "PUT":
        return ("bindings",)
    if path.endswith("/storage/v1/b"):
        return ("items",)
    return _OF_THE_PROJECT if exchange.method == "GET" or exchange.compare_first_item else ()


def _is_of_bytes(exchange: Exchange) -> bool:
    """Whether caches may keep the answer: the Hub's answers and objects of Cloud Storage, not those of JSON APIs."""
    parts = urllib.parse.urlsplit(exchange.url)
    if parts.hostname == "huggingface.co":
        return True
    if parts.hostname not in ("storage.googleapis.com", "www.googleapis.com"):
        return False
    return "alt=media" in parts.query or not parts.path.startswith(("/storage/", "/upload/", "/batch"))


def _service(exchange: Exchange) -> str:
    if exchange.method == "GRPC":
        return next((app for package, app in _GRPC_PACKAGES.items() if exchange.url.startswith(package)), "vertex")
    host = urllib.parse.urlsplit(exchange.url).hostname or ""
    route = route_of(host)
    return route.app if route else host.replace("www.googleapis.com", "storage")


def _status(exchange: Exchange) -> int | str:
    return _grpc_code(str(exchange.status)) if exchange.method == "GRPC" else exchange.status


def _as_early(recorded: Any, answered: Any) -> Any:
    """An ended operation in its form before the end."""
    early = isinstance(recorded, dict) and "/operations/" in f"/{recorded.get('name')}" and not recorded.get("done")
    if not early or not isinstance(answered, dict) or not answered.get("done"):
        return answered
    later = {"done", "response", "error", "metadata"} - recorded.keys()
    return {name: value for name, value in answered.items() if name not in later}


def _awaited(send: Callable[[], Answer], exchange: Exchange) -> Answer:
    """Repeats a request until the operation or job has ended, if it had ended in the recording."""
    answer, begun = send(), time.monotonic()
    recorded = exchange.response_body
    if not isinstance(recorded, dict) or not exchange.method.startswith(("GET", "GRPC")):
        return answer
    done = exchange.method == "GET" and "/operations/" in exchange.url and recorded.get("done")
    state = recorded.get("state") if _FINAL_STATE.search(str(recorded.get("state"))) else None
    while (done or state) and answer.status in (200, "OK") and time.monotonic() - begun < _OPERATION_SECONDS:
        now = answer.json or {}
        if (not done or now.get("done")) and (state is None or now.get("state") == state):
            break
        time.sleep(_POLL_SECONDS)
        answer = send()
    return answer


def _is_unserved(answer: Answer) -> bool:
    if answer.status in (501, "UNIMPLEMENTED"):
        return True
    return answer.status in (404, 405) and (b"No method of " in answer.body or answer.body.strip() == b"Not Found")


def _resource(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return re.sub(r":[A-Za-z]+$", "", parts.netloc + parts.path).removesuffix("/iam")


def _is_json(exchange: Exchange) -> bool:
    body = exchange.request_body
    return isinstance(body, dict) and not set(body) <= {"base64", "raw", "content_type", "multipart"}


def _grpc_code(name: str) -> str:
    """`NotFound` → `NOT_FOUND`."""
    return "OK" if name == "OK" else re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper().replace("CANCELED", "CANCELLED")
