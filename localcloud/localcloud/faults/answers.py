"""Faults of an answer on its way: cut, silent, slow, or damaged."""

import asyncio
import re
from contextlib import suppress

from starlette.types import Message, Scope, Send

from localcloud.core.http_connections import connection_of
from localcloud.faults.kinds import AnswerFault, FlipByte, SlowBody, Stall, Truncate, WrongContentRange

_PIECES_PER_SECOND = 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(.+)")


class FaultyAnswer:
    """A `send` that changes an answer as its fault says. `touched`: whether the fault changed anything."""

    def __init__(self, fault: AnswerFault, scope: Scope, send: Send) -> None:
        self._fault = fault
        self._connection = connection_of(scope)
        self._send = send
        self._sent = 0
        self.touched = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send({**message, "headers": self._headers(message.get("headers", []))})
            return
        body, more = bytes(message.get("body", b"")), message.get("more_body", False)
        match self._fault:
            case Truncate(after_bytes=position) if self._holds(body, position):
                await self._truncate(body[: position - self._sent])
            case Stall(after_bytes=position) if self._holds(body, position):
                await self._stall(self._fault, body, position - self._sent, more)
            case FlipByte(offset=offset) if self._holds(body, offset):
                await self._pass(flipped(body, offset - self._sent), more)
            case SlowBody(bytes_per_second=rate) if body:
                await self._drip(body, rate, more)
            case _:
                await self._pass(body, more)

    def _holds(self, body: bytes, position: int) -> bool:
        here = self._sent <= position < self._sent + len(body)
        self.touched |= here
        return here

    async def _pass(self, body: bytes, more: bool) -> None:
        self._sent += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _truncate(self, beginning: bytes) -> None:
        # The server signals a disconnect to the application, as when a client disconnects.
        await self._pass(beginning, more=True)
        await self._connection.close()

    async def _stall(self, fault: Stall, body: bytes, position: int, more: bool) -> None:
        await self._pass(body[:position], more=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connection.ended.wait(), fault.seconds)
        await self._pass(body[position:], more)

    async def _drip(self, body: bytes, rate: int, more: bool) -> None:
        self.touched = True
        size = max(1, rate // _PIECES_PER_SECOND)
        for start in range(0, len(body), size):
            await self._pass(body[start : start + size], more or start + size < len(body))
            await asyncio.sleep(min(size, len(body) - start) / rate)

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return [(name, self._content_range(value) if name == b"content-range" else value) for name, value in headers]

    def _content_range(self, value: bytes) -> bytes:
        named = _CONTENT_RANGE.fullmatch(value.decode("latin-1"))
        if not isinstance(self._fault, WrongContentRange) or named is None:
            return value
        self.touched = True
        shifted = f"bytes {int(named[1]) + 1}-{int(named[2]) + 1}/{named[3]}"
        return (self._fault.content_range or shifted).encode("latin-1")


class Unseen:
    """A `send` that holds back a successful answer. `found`: whether there was one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.found = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.found = 200 <= message["status"] < 300
        if not self.found:
            await self._send(message)


def flipped(body: bytes, position: int) -> bytes:
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
