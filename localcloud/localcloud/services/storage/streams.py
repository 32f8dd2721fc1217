"""Request bodies: written to disk while they arrive, never completely in memory."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from anyio import to_thread
from starlette.requests import Request
from starlette.types import Message, Receive

from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bytes_store import BytesWriter
from localcloud.services.storage.storage_errors import StorageError, invalid

# Bytes per write: large, so that handing them to a thread costs little, but small against memory.
FLUSH_SIZE = 1 << 20


def base_url(request: Request) -> str:
    """Scheme and host from the caller's view: a proxy ended the TLS of requests to Google hosts."""
    host = request.headers.get("host", "localhost")
    scheme = "https" if host.partition(":")[0].endswith(".googleapis.com") else request.url.scheme
    return f"{scheme}://{host}"


class RequestBody:
    """A request's body as ASGI messages; `drain` reads the rest."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads the rest: a client that is still sending would get a broken connection instead of the answer."""
        while not self._ended:
            await self.receive()


@contextmanager
def new_blob(backend: Backend) -> Iterator[BytesWriter]:
    """A file for an upload's bytes; it is deleted if the upload fails."""
    writer = backend.bytes.create()
    try:
        yield writer
    except BaseException:
        backend.bytes.discard([writer.blob])
        raise
    finally:
        writer.close()


async def write_all(chunks: AsyncIterator[bytes], writer: BytesWriter) -> None:
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= FLUSH_SIZE:
            await to_thread.run_sync(writer.append, bytes(buffer))
            buffer.clear()
    await to_thread.run_sync(writer.append, bytes(buffer))


async def read_body(request: Request, limit: int) -> bytes:
    """A body of metadata, in memory. Raises StorageError (413) if it exceeds `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise StorageError(413, "uploadTooLarge", f"The request's body exceeds {limit} bytes.", "EntityTooLarge")
    return bytes(body)


class DelimitedReader:
    """Reads a stream up to delimiters in it."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()

    async def before(self, mark: bytes, limit: int) -> bytes:
        """The bytes before the next `mark`, without it. Raises StorageError (400) after `limit` bytes or at the end."""
        while (position := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise invalid("Malformed multipart body: a part's metadata is too long.")
            await self._more()
        found = bytes(self._buffer[:position])
        del self._buffer[: position + len(mark)]
        return found

    async def stream_before(self, mark: bytes) -> AsyncIterator[bytes]:
        """Like `before`, in pieces and without a limit."""
        while (position := self._buffer.find(mark)) < 0:
            certain = len(self._buffer) - len(mark) + 1
            if certain > 0:
                yield bytes(self._buffer[:certain])
                del self._buffer[:certain]
            await self._more()
        yield bytes(self._buffer[:position])

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._chunks)
        except StopAsyncIteration:
            raise invalid("Malformed multipart body: it ends before its last boundary.") from None
