"""A file as an answer: whole or a range of it, streamed from disk."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from anyio import open_file
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from localcloud.core.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range

_READ_SIZE = 1 << 20


def file_response(path: Path, size: int, etag: str, request: Mapping[str, str], headers: dict[str, str]) -> Response:
    """200, 206, 304 or 416, by the request's `Range`, `If-Range` and `If-None-Match`."""
    quoted = f'"{etag}"'
    headers = {**headers, "ETag": quoted, "Accept-Ranges": "bytes"}
    if quoted in [tag.strip().removeprefix("W/") for tag in request.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    wanted = request.get("range") if request.get("if-range", quoted) == quoted else None
    try:
        part = parse_range(wanted, size)
    except RangeNotSatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    return FileResponse(path, size, part, headers)


class FileResponse(StreamingResponse):
    def __init__(self, path: Path, size: int, part: ByteRange | None, headers: dict[str, str]) -> None:
        super().__init__(self._chunks(), 200 if part is None else 206, headers)
        self._path = path
        self._part = part or ByteRange(0, size)
        self.headers["content-length"] = str(self._part.length)
        if part is not None:
            self.headers["content-range"] = part.content_range(size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            self._part = ByteRange(0, 0)
        await super().__call__(scope, receive, send)

    async def _chunks(self) -> AsyncIterator[bytes]:
        async with await open_file(self._path, "rb", buffering=0) as file:
            await file.seek(self._part.start)
            left = self._part.length
            while left:
                data = await file.read(min(_READ_SIZE, left))
                if not data:
                    raise RuntimeError(f"{self._path} became shorter while it was sent")
                left -= len(data)
                yield data
