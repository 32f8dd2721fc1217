"""A server of chat completions that answers at once, to measure the cost of a load generator itself.

Run: `python -m benchmarks.loading.stub_server PORT [SECONDS_BETWEEN_TOKENS]`. Each answer has `max_tokens` words, the
first at once, the others at that pace (0: all at once). Prompt tokens are the words of the prompt and one more.
`GET /metrics` has vLLM's two counters, `GET /v1/models` the one model, `GET /arrivals` the time of each request since
the last such question, by `time.monotonic`, and the most streams at once.
"""

import asyncio
import heapq
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from typing import ClassVar

MODEL = "stub"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_TICK_SECONDS = 0.002
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_ID = "chatcmpl-0123456789abcdef0123456789abcdef"


def _event(fields: dict[str, object]) -> bytes:
    common = {"id": _ID, "object": "chat.completion.chunk", "created": 1700000000, "model": MODEL}
    return _chunk(b"data: " + json.dumps({**common, **fields}).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _delta(delta: dict[str, str], reason: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})


_ROLE, _WORD, _LAST = _delta({"role": "assistant", "content": ""}), _delta({"content": " word"}), _delta({}, "length")
_DONE = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Pace:
    """Calls functions later; functions of one tick are called together."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def later(self, moment: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (moment, self._count, call))

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = loop.time()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()


class StubProtocol(asyncio.Protocol):
    pace: ClassVar[Pace]
    seconds: ClassVar[float] = 0.0
    prompt_tokens: ClassVar[int] = 0
    output_tokens: ClassVar[int] = 0
    open_streams: ClassVar[int] = 0
    most_streams: ClassVar[int] = 0
    arrivals: ClassVar[list[float]] = []

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = int(found[1]) if (found := _LENGTH.search(head)) else 0
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            self._get(head.split(b" ", 2)[1])
            return
        kind = StubProtocol
        kind.arrivals.append(time.monotonic())
        request = json.loads(body)
        count = int(request.get("max_tokens") or request.get("max_completion_tokens") or 1)
        content = request["messages"][-1]["content"]
        text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
        prompt = len(text.split()) + 1
        kind.prompt_tokens += prompt
        kind.output_tokens += count
        usage = {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}
        tail = _LAST + _event({"choices": [], "usage": usage}) + _DONE
        if not self.seconds:
            self._transport.write(_HEAD + _ROLE + _WORD * count + tail)
            return
        kind.open_streams += 1
        kind.most_streams = max(kind.most_streams, kind.open_streams)
        self._transport.write(_HEAD + _ROLE + _WORD)
        self._continue(count - 1, tail, asyncio.get_running_loop().time() + self.seconds)

    def _continue(self, left: int, tail: bytes, moment: float) -> None:
        def next_token() -> None:
            self._transport.write(_WORD)
            self._continue(left - 1, tail, moment + self.seconds)

        if left > 0:
            self.pace.later(moment, next_token)
        else:
            StubProtocol.open_streams -= 1
            self._transport.write(tail)

    def _get(self, path: bytes) -> None:
        text, kind = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}), b"application/json"
        if path.startswith(b"/metrics"):
            kind = b"text/plain"
            text = (
                f'vllm:prompt_tokens_total{{model_name="{MODEL}"}} {self.prompt_tokens}\n'
                f'vllm:generation_tokens_total{{model_name="{MODEL}"}} {self.output_tokens}\n'
            )
        elif path.startswith(b"/arrivals"):
            text = json.dumps({"arrivals": self.arrivals, "most_streams": self.most_streams})
            StubProtocol.arrivals, StubProtocol.most_streams = [], 0
        data = text.encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(data))
        self._transport.write(head + data)


async def _serve(port: int) -> None:
    StubProtocol.pace = Pace()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(StubProtocol, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await StubProtocol.pace.run()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    StubProtocol.seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    asyncio.run(_serve(int(sys.argv[1])))
