"""Faults of HTTP calls, applied around each application, for every port and host that reaches it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.core.http_connections import connection_of
from localcloud.core.operation_run import decided
from localcloud.faults import refusals
from localcloud.faults.answers import FaultyAnswer, Unseen
from localcloud.faults.calls import Call
from localcloud.faults.consequences import crash, fate_of
from localcloud.faults.kinds import (
    AnswerFault,
    Crash,
    Error,
    FlipSentByte,
    Latency,
    LostAnswer,
    NotFoundYet,
    OperationError,
    OperationNeverEnds,
    Reset,
)
from localcloud.faults.posted import Faults, Strike
from localcloud.faults.request_bodies import FlippedBody

_LOG = logging.getLogger(__name__)

ServiceOf = Callable[[Scope], str]
RpcOf = Callable[[str, str], str]


class FaultyApp:
    """An application that faults strike. It must be served with `ConnectionProtocol`."""

    def __init__(self, app: ASGIApp, faults: Faults, service: str | ServiceOf, rpc_of: RpcOf | None = None) -> None:
        """`service`: its name, or what finds it by the request; "": no fault may strike there. `rpc_of`: finds
        `Service/Method` by an HTTP method and a path; "": it has no such name.
        """
        self._app = app
        self._faults = faults
        self._service = service
        self._rpc_of = rpc_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        strike = self._take(scope) if self._faults.waiting and scope["type"] == "http" else None
        if strike is None:
            await self._app(scope, receive, send)
            return
        with strike.under_way():
            await asyncio.sleep(strike.fault.latency_seconds)
            await self._struck(strike, scope, receive, send)

    def _take(self, scope: Scope) -> Strike | None:
        service = self._service_of(scope)
        if not service:
            return None
        return self._faults.take(
            Call(
                service=service,
                protocol="http",
                host=Request(scope).headers.get("host", "").partition(":")[0].lower(),
                rpc=self._rpc_of(scope["method"], scope["path"]) if self._rpc_of else "",
                method=scope["method"],
                path=scope["path"],
                query=parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True),
                headers=Request(scope).headers.items(),
            )
        )

    def _service_of(self, scope: Scope) -> str:
        return self._service if isinstance(self._service, str) else self._service(scope)

    async def _struck(self, strike: Strike, scope: Scope, receive: Receive, send: Send) -> None:
        match strike.fault:
            case Error() as fault:
                # As the services do: a client that is still sending would see a broken connection instead.
                await _drain(receive)
                await refusals.answer(fault, self._service_of(scope), Request(scope))(scope, receive, send)
            case Latency():
                await self._app(scope, receive, send)
            case Reset():
                await connection_of(scope).reset()
            case LostAnswer():
                await self._execute(scope, receive)
                await connection_of(scope).reset()
            case Crash(when=when):
                if when == "after":
                    await self._execute(scope, receive)
                crash()
            case OperationError() | OperationNeverEnds() as fault:
                fate = fate_of(fault)
                with decided(fate):
                    await self._app(scope, receive, send)
                if not fate.met:
                    strike.give_back()
            case NotFoundYet():
                unseen = Unseen(send)
                await self._app(scope, receive, unseen)
                if unseen.found:
                    missing = Error.model_validate({"kind": "error", "code": "NOT_FOUND"})
                    await refusals.answer(missing, self._service_of(scope), Request(scope))(scope, receive, send)
                else:
                    strike.give_back()
            case FlipSentByte() as fault:
                body = FlippedBody(fault, receive)
                await self._app(scope, body, send)
                if not body.touched:
                    strike.give_back()
            case AnswerFault() as fault:
                answer = FaultyAnswer(fault, scope, send)
                await self._app(scope, receive, answer)
                if not answer.touched:
                    strike.give_back()

    async def _execute(self, scope: Scope, receive: Receive) -> None:
        """Executes the call; its answer or failure is not sent."""
        try:
            await self._app(scope, receive, _lose)
        except Exception:
            _LOG.exception("%s %s failed", scope["method"], scope["path"])


async def _drain(receive: Receive) -> None:
    more: Any = True
    while more:
        message = await receive()
        more = message.get("more_body", False)


async def _lose(message: Message) -> None:
    """Drops the message; used instead of `send`."""
