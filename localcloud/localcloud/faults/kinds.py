"""Faults as values: the calls that a fault matches, those of them that it strikes, and its effect."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from localcloud.core.api_errors import CODES
from localcloud.faults.calls import Call, Protocol, matches, pairs_match, rpc_matches

_DATA = Path(__file__).with_name("known_errors.yaml")


def _known_code(code: str) -> str:
    if code not in CODES:
        raise ValueError(f"{code!r} is not a name of google.rpc.Code")
    return code


@cache
def known_errors() -> dict[str, dict[str, str]]:
    """Code and message of errors as Vertex AI words them, by name."""
    rows: dict[str, dict[str, str]] = yaml.safe_load(_DATA.read_text())["errors"]
    return rows


def _known_error(name: str) -> str:
    if name not in known_errors():
        raise ValueError(f"{name!r} is none of {', '.join(known_errors())}")
    return name


Code = Annotated[str, AfterValidator(_known_code)]
KnownError = Annotated[str, AfterValidator(_known_error)]


class BaseFault(BaseModel):
    """Fields that all kinds have. Patterns are as in a shell; "" matches everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    service: str = ""
    """A name of `localcloud.services.hosts.ROUTES`, "content-network" or "metadata"."""
    host: str = ""
    """Pattern of the host that the client named; a server's own port has another host than Google's."""
    rpc: str = ""
    """Pattern of a method's name, however it is called: `DeployModel`, or `EndpointService/DeployModel`."""
    method: str = ""
    """HTTP method."""
    path: str = ""
    """Pattern of the decoded path; `*` matches slashes, too."""
    query: dict[str, str] = {}
    """Patterns by parameter: `{"partNumber": "*"}` is any part of an upload."""
    headers: dict[str, str] = {}
    """Patterns by request header, gRPC's metadata included: `{"range": "bytes=0-*"}`."""

    nth: int = Field(1, ge=1)
    """Number, from 1, of the first matching call that it strikes."""
    times: int | None = Field(1, ge=1)
    """Number of calls that it strikes; null: all from then on, the default with a probability."""
    probability: float | None = Field(None, gt=0, le=1)
    """Strikes each call with this probability, by `seed`."""
    seed: int | None = None

    latency_seconds: float = Field(0, ge=0, le=3600)
    """Seconds to wait before anything else happens."""

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        return ("http", "grpc")

    @property
    def limit(self) -> int | None:
        """How many calls it strikes at most."""
        return None if self.probability is not None and "times" not in self.model_fields_set else self.times

    def meets(self, call: Call) -> bool:
        return (
            call.protocol in self.protocols
            and self.service in ("", call.service)
            and self.method in ("", call.method)
            and rpc_matches(self.rpc, call.rpc)
            and matches(self.host, call.host)
            and matches(self.path, call.path)
            and pairs_match(self.query, call.query)
            and pairs_match(self.headers, call.headers, str.lower)
        )


class HttpFault(BaseFault):
    @property
    def protocols(self) -> tuple[Protocol, ...]:
        return ("http",)


class Worded(BaseFault):
    """An error: a code and a message, or a known error word for word."""

    code: Code | None = None
    """Name of google.rpc.Code; over REST its HTTP status."""
    known: KnownError | None = None
    """A row of `known_errors.yaml`."""
    message: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """Code and message, each "" if the fault does not give it."""
        row = known_errors()[self.known] if self.known else {}
        return self.code or row.get("code", ""), self.message or row.get("message", "").strip()


class Error(Worded):
    """Refuses the call without executing it, in the words of the service."""

    kind: Literal["error"]
    status: int | None = Field(None, ge=400, le=599)
    """HTTP status; matches only calls over HTTP."""
    retry_after_seconds: int | None = Field(None, ge=0)
    """`Retry-After`, on the Hub `RateLimit`, over gRPC `google.rpc.RetryInfo`."""
    answer_headers: dict[str, str] = {}

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        return ("http",) if self.status else ("http", "grpc")


class Latency(BaseFault):
    """Answers normally after `latency_seconds`."""

    kind: Literal["latency"]


class Reset(BaseFault):
    """Breaks the connection; the call is not executed."""

    kind: Literal["reset"]


class LostAnswer(BaseFault):
    """Executes the call, then breaks the connection instead of answering."""

    kind: Literal["lost_answer"]


class AnswerFault(HttpFault):
    """Strikes an answer while it is sent."""


class NotFoundYet(HttpFault):
    """Answers 404 to a read that found a resource, as if the resource were too new to be known everywhere. A read that
    finds nothing is not struck."""

    kind: Literal["not_found_yet"]

    def meets(self, call: Call) -> bool:
        return call.method == "GET" and super().meets(call)


class BodyFault(AnswerFault):
    """An answer to HEAD has no body; one that is too short is not struck."""

    def meets(self, call: Call) -> bool:
        return call.method != "HEAD" and super().meets(call)


class Truncate(BodyFault):
    """Ends the connection after `after_bytes` of the body, short of its Content-Length."""

    kind: Literal["truncate"]
    after_bytes: int = Field(ge=0)


class Stall(BodyFault):
    """Sends nothing after `after_bytes` of the body, for `seconds`, or until the client disconnects."""

    kind: Literal["stall"]
    after_bytes: int = Field(ge=0)
    seconds: float | None = Field(None, gt=0, le=3600)


class FlipByte(BodyFault):
    """Changes one bit of the byte at `offset` of the body."""

    kind: Literal["flip_byte"]
    offset: int = Field(ge=0)


class FlipSentByte(HttpFault):
    """Changes one bit of the byte at `offset` of what the client sends; a body that is too short is not struck."""

    kind: Literal["flip_sent_byte"]
    offset: int = Field(ge=0)


class WrongContentRange(AnswerFault):
    """Names another range than the one that the body holds: shifted by a byte, or `content_range`."""

    kind: Literal["wrong_content_range"]
    content_range: str = ""


class SlowBody(BodyFault):
    """Sends the body at `bytes_per_second`."""

    kind: Literal["slow_body"]
    bytes_per_second: int = Field(ge=1)


class OperationError(Worded):
    """The long-running operation that the call starts runs for `after_seconds`, does nothing, and fails."""

    kind: Literal["operation_error"]
    after_seconds: float = Field(0, ge=0, le=7200)


class OperationNeverEnds(BaseFault):
    """The long-running operation that the call starts does nothing, and runs until it is cancelled, or even then."""

    kind: Literal["operation_never_ends"]
    ignores_cancel: bool = False


class Crash(BaseFault):
    """Ends the whole local cloud as SIGKILL does, `when` "before" the call is executed or "after". State stays."""

    kind: Literal["crash"]
    when: Literal["before", "after"]


OperationFault = OperationError | OperationNeverEnds
_AnswerKinds = Truncate | Stall | FlipByte | WrongContentRange | SlowBody
Fault = Error | Latency | Reset | LostAnswer | NotFoundYet | FlipSentByte | _AnswerKinds | OperationFault | Crash
FAULT: TypeAdapter[Fault] = TypeAdapter(Annotated[Fault, Field(discriminator="kind")])
