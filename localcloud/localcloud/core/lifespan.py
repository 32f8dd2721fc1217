"""The lifespan protocol of ASGI, for an app that must be closed."""

from collections.abc import Callable

from starlette.types import Receive, Send


async def live(receive: Receive, send: Send, close: Callable[[], None]) -> None:
    """Answers the start at once, and closes the app at the shutdown."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    close()
    await send({"type": "lifespan.shutdown.complete"})
