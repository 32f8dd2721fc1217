"""Faults of a request on its way: other bytes arrive than were sent."""

from starlette.types import Message, Receive

from localcloud.faults.answers import flipped
from localcloud.faults.kinds import FlipSentByte


class FlippedBody:
    """A `receive` that changes one bit of the body. `touched`: whether the body was long enough."""

    def __init__(self, fault: FlipSentByte, receive: Receive) -> None:
        self._fault, self._receive = fault, receive
        self._received = 0
        self.touched = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body = bytes(message.get("body", b""))
        position = self._fault.offset - self._received
        self._received += len(body)
        if not 0 <= position < len(body):
            return message
        self.touched = True
        return {**message, "body": flipped(body, position)}
