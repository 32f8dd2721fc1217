"""The `Date` of every HTTP answer, by the local cloud's clock: Google's clients compare expiry times with it."""

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Dated:
    """An application whose answers have the date of `clock`, which gives aware times in UTC."""

    def __init__(self, app: ASGIApp, clock: Callable[[], datetime]) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._clock(), usegmt=True).encode()
                message = {**message, "headers": [(b"date", date), *message.get("headers", ())]}
            await send(message)

        await self._app(scope, receive, dated if scope["type"] == "http" else send)
