"""The calls that a fault strikes among those that it matches, and faults that are refused."""

from typing import Any

import pytest

from localcloud.core.api_errors import ApiError
from localcloud.faults import Faults
from localcloud.faults.calls import Call

METHODS = {
    "vertex": {"EndpointService/DeployModel": True, "EndpointService/GetEndpoint": False},
    "secret-manager": {"SecretManagerService/GetSecret": False},
}
GET = Call("storage", "http", "storage.googleapis.com", method="GET", path="/b/o", headers=[("Range", "bytes=0-9")])
DEPLOY = Call("vertex", "grpc", "us-central1-aiplatform.googleapis.com", rpc="EndpointService/DeployModel")


def strikes(faults: Faults, call: Call, calls: int) -> str:
    """A character per call: the number of the fault that strikes it, or a point for none."""
    taken = (faults.take(call) for _ in range(calls))
    return "".join("." if strike is None else strike.fault.message for strike in taken)


def post(faults: Faults, name: str = "x", **fields: Any) -> None:
    faults.post({"kind": "error", "status": 500, "message": name, **fields})


@pytest.mark.parametrize(
    ("fields", "struck"),
    [
        ({}, "x......."),
        ({"nth": 3}, "..x....."),
        ({"times": 3}, "xxx....."),
        ({"nth": 2, "times": 4}, ".xxxx..."),
        ({"nth": 2, "times": None}, ".xxxxxxx"),
        ({"probability": 1.0, "seed": 1}, "xxxxxxxx"),
        ({"probability": 0.5, "seed": 1}, "x..xxx.."),
        ({"probability": 0.5, "seed": 1, "times": 2}, "x..x...."),
        ({"probability": 0.5, "seed": 2}, "..xx...x"),
    ],
)
def test_a_fault_strikes_by_number_or_by_seed(fields: dict[str, Any], struck: str) -> None:
    faults = Faults()
    post(faults, **fields)
    assert strikes(faults, GET, 8) == struck


def test_one_fault_a_call_and_the_first_posted_first() -> None:
    faults = Faults()
    post(faults, "a")
    post(faults, "b", nth=2)
    post(faults, "c")
    assert strikes(faults, GET, 5) == "abc.."
    assert [(fault["id"], fault["met"], fault["struck"]) for fault in faults.list()] == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 3, 1),
    ]


def test_what_touched_nothing_strikes_the_next() -> None:
    faults = Faults()
    post(faults)
    first = faults.take(GET)
    assert first is not None
    assert not faults.waiting
    first.give_back()
    assert faults.waiting
    assert strikes(faults, GET, 2) == "x."


def test_cleared_faults_are_gone() -> None:
    faults = Faults()
    post(faults)
    faults.clear()
    assert (faults.waiting, faults.list(), strikes(faults, GET, 1)) == (False, [], ".")


@pytest.mark.parametrize(
    ("fields", "met"),
    [
        ({"service": "storage"}, True),
        ({"service": "hub"}, False),
        ({"host": "*.googleapis.com"}, True),
        ({"host": "huggingface.co"}, False),
        ({"method": "GET", "path": "/b/*"}, True),
        ({"method": "PUT"}, False),
        ({"path": "/c/*"}, False),
        ({"headers": {"range": "bytes=0-*"}}, True),
        ({"headers": {"if-match": "*"}}, False),
        ({"query": {"partNumber": "*"}}, False),
    ],
)
def test_a_fault_meets_the_calls_it_is_meant_for(fields: dict[str, Any], met: bool) -> None:
    faults = Faults(METHODS)
    post(faults, **fields)
    assert strikes(faults, GET, 1) == ("x" if met else ".")


@pytest.mark.parametrize(
    ("fields", "met"),
    [
        ({"rpc": "DeployModel"}, True),
        ({"rpc": "EndpointService/*", "service": "vertex"}, True),
        ({"rpc": "GetEndpoint"}, False),
        ({"service": "secret-manager"}, False),
    ],
)
def test_a_method_is_met_by_its_name(fields: dict[str, Any], met: bool) -> None:
    faults = Faults(METHODS)
    faults.post({"kind": "error", "code": "UNAVAILABLE", "message": "x", **fields})
    assert strikes(faults, DEPLOY, 1) == ("x" if met else ".")


def test_a_status_of_http_never_meets_grpc() -> None:
    faults = Faults(METHODS)
    post(faults, service="vertex")
    assert strikes(faults, DEPLOY, 1) == "."


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"kind": "explode"}, "kind: 'explode' is none of 'error', 'latency', 'reset'"),
        ({"status": 500}, "kind: is missing"),
        ({"kind": "reset", "status": 500}, "status: the kind reset has no such field"),
        ({"kind": "reset", "times": 0}, "times: Input should be greater than or equal to 1"),
        ({"kind": "reset", "times": "1"}, "times: Input should be a valid integer"),
        ({"kind": "reset", "service": "gcs"}, "service: 'gcs' is none of artifact-analysis, artifact-registry, "),
        ({"kind": "reset", "method": "get"}, "method: 'get' is none of GET, "),
        ({"kind": "reset", "path": "b/o"}, "path: a path begins with a slash"),
        ({"kind": "reset", "probability": 0.5}, "seed: a probability needs one"),
        ({"kind": "reset", "probability": 1.5, "seed": 1}, "probability: Input should be less than or equal to 1"),
        ({"kind": "reset", "probability": 0.5, "seed": 1, "nth": 2}, "nth: a call is struck by its number or by a pr"),
        ({"kind": "reset", "seed": 1}, "probability: a seed alone decides nothing"),
        ({"kind": "latency"}, "latency_seconds: is missing"),
        ({"kind": "error"}, r"status: an error has one of status \(HTTP\), code"),
        ({"kind": "error", "status": 500, "code": "INTERNAL"}, "status: an error has one of"),
        ({"kind": "error", "known": "quota"}, "known: .*'quota' is none of stockout, quota_exceeded"),
        ({"kind": "operation_never_ends"}, "rpc: say by its name which method starts the operation"),
        ({"kind": "operation_never_ends", "rpc": "GetEndpoint"}, "rpc: GetEndpoint starts no long-running operation"),
        ({"kind": "operation_error", "rpc": "DeployModel"}, "code: the operation fails with either a code or a known"),
        ({"kind": "crash"}, "when: Field required"),
        ({"kind": "crash", "when": "later"}, "when: Input should be 'before' or 'after'"),
        ({"kind": "error", "status": 200}, "status: Input should be greater than or equal to 400"),
        ({"kind": "error", "code": "TEAPOT"}, "code: .*'TEAPOT' is not a name of google.rpc.Code"),
        ({"kind": "error", "code": "INTERNAL", "service": "storage"}, "code: storage has no gRPC; give it a status"),
        ({"kind": "truncate"}, "after_bytes: Field required"),
        ({"kind": "wrong_content_range", "service": "vertex"}, "service: only storage, hub, content-network answer"),
        ({"kind": "reset", "rpc": "DeployModle"}, "rpc: no method is called 'DeployModle'; did you mean DeployModel"),
        ({"kind": "reset", "rpc": "GetSecret", "service": "vertex"}, "rpc: no method is called 'GetSecret'"),
        ({"kind": "reset", "rpc": "GetEndpoint", "service": "hub"}, "rpc: hub has no gRPC methods"),
        ({"kind": "reset", "rpc": "GetEndpoint", "method": "GET"}, "rpc: says which method, however it is called"),
        ([], "Input should be a valid dictionary"),
    ],
)
def test_what_cannot_be_is_refused_by_field(fields: Any, refusal: str) -> None:
    faults = Faults(METHODS)
    with pytest.raises(ApiError, match=f"No such fault: .*{refusal}") as refused:
        faults.post(fields)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert not faults.waiting
