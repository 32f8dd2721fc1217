"""Checks of a posted fault: known kinds and fields, in combinations that can happen."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from localcloud.core.api_errors import ApiError
from localcloud.faults.calls import rpc_matches
from localcloud.faults.kinds import (
    FAULT,
    Error,
    Fault,
    Latency,
    OperationError,
    OperationFault,
    WrongContentRange,
)
from localcloud.services.hosts import ROUTES

Methods = Mapping[str, Mapping[str, bool]]
"""By service, its methods as `Service/Method`, and whether one starts a long-running operation."""

SERVICES = frozenset({route.app for route in ROUTES} | {"content-network", "metadata"})
_WITH_RANGES = ("storage", "hub", "content-network")
_VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def read_fault(fields: Any, methods: Methods) -> Fault:
    """The fault from JSON values. Raises ApiError INVALID_ARGUMENT that names the field."""
    try:
        fault = FAULT.validate_python(fields)
    except ValidationError as error:
        raise ApiError("INVALID_ARGUMENT", f"No such fault: {'; '.join(_told(error))}.") from None
    for refusal in _impossible(fault, methods):
        raise ApiError("INVALID_ARGUMENT", f"No such fault: {refusal}.")
    return fault


def _told(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        # The first part of the location is the kind that the fields were read as.
        place = ".".join(str(step) for step in detail["loc"][1:])
        if detail["type"] == "union_tag_invalid":
            yield f"kind: {detail['ctx']['tag']!r} is none of {detail['ctx']['expected_tags']}"
        elif detail["type"] == "union_tag_not_found":
            yield "kind: is missing"
        elif detail["type"] == "extra_forbidden":
            yield f"{place}: the kind {detail['loc'][0]} has no such field"
        else:
            yield f"{place}: {detail['msg']}"


def _impossible(fault: Fault, methods: Methods) -> Iterator[str]:
    yield from _impossible_calls(fault, methods)
    if fault.probability is not None and fault.seed is None:
        yield "seed: a probability needs one, so that a run can be repeated"
    if fault.probability is not None and "nth" in fault.model_fields_set:
        yield "nth: a call is struck by its number or by a probability, not by both"
    if fault.seed is not None and fault.probability is None:
        yield "probability: a seed alone decides nothing"
    if isinstance(fault, Error):
        yield from _impossible_error(fault, methods)
    if isinstance(fault, OperationFault):
        yield from _impossible_operation(fault, methods)
    if isinstance(fault, Latency) and not fault.latency_seconds:
        yield "latency_seconds: is missing"
    if isinstance(fault, WrongContentRange) and fault.service and fault.service not in _WITH_RANGES:
        yield f"service: only {', '.join(_WITH_RANGES)} answer with a Content-Range"


def _impossible_error(fault: Error, methods: Methods) -> Iterator[str]:
    if [fault.status, fault.code, fault.known].count(None) != 2:
        yield "status: an error has one of status (HTTP), code (gRPC, and REST of the same services) and known"
    if fault.status is None and fault.service and fault.service not in methods:
        yield f"code: {fault.service} has no gRPC; give it a status"


def _impossible_operation(fault: OperationFault, methods: Methods) -> Iterator[str]:
    if isinstance(fault, OperationError) and (fault.code is None) == (fault.known is None):
        yield "code: the operation fails with either a code or a known error"
    if not fault.rpc:
        yield "rpc: say by its name which method starts the operation"
    starting = [rpc for by_rpc in methods.values() for rpc, starts_operation in by_rpc.items() if starts_operation]
    if not any(rpc_matches(fault.rpc, rpc) for rpc in starting):
        yield f"rpc: {fault.rpc} starts no long-running operation"


def _impossible_calls(fault: Fault, methods: Methods) -> Iterator[str]:
    if fault.service and fault.service not in SERVICES:
        yield f"service: {fault.service!r} is none of {', '.join(sorted(SERVICES))}"
    if fault.method and fault.method not in _VERBS:
        yield f"method: {fault.method!r} is none of {', '.join(_VERBS)}; gRPC's methods go by rpc"
    if fault.path and fault.path[0] not in "/*":
        yield "path: a path begins with a slash"
    if not fault.rpc:
        return
    if fault.method or fault.path or fault.query:
        yield "rpc: says which method, however it is called: give it no method, path or query"
    if fault.service and fault.service not in methods:
        yield f"rpc: {fault.service} has no gRPC methods; go by method and path"
    known = [rpc for service in methods if fault.service in ("", service) for rpc in methods[service]]
    if not any(rpc_matches(fault.rpc, rpc) for rpc in known):
        names = {rpc.rpartition("/")[2] for rpc in known}
        close = difflib.get_close_matches(fault.rpc, names, n=1)
        yield f"rpc: no method is called {fault.rpc!r}" + (f"; did you mean {close[0]}" if close else "")
