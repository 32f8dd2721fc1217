"""A small model server with the routes of Model Garden's vLLM container, for tests without real vLLM.

It answers from a table, and misbehaves when a prompt asks it to. Its flags come from the Model's container args:

    --healthy-when=FILE       the health route answers 503 until that file exists
    --exit=CODE               ends instead of serving
    --say=FILE                prints that file when it starts
    --stop-after=SECONDS      between being told to stop and doing so
    --model=URI               where the weights would be; ignored
    --refuse=FILE             refuses requests as that JSON says: `status`, `message`, `log` (printed at each refusal),
                              `chat` (true: chat completions alone), `unless` (words of prompts that are answered)
    --questions=FILE          JSON lines with `question` and `accepted`: answered right
"""

import argparse
import json
import os
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

PROGRAM = os.path.abspath(__file__)
ANSWERS = {
    "capital of France": "Paris.",
    "capital of Japan": "The answer is Tokyo.",
    "2 + 2": "4",
    "a car": "A car is a vehicle with four wheels.",
    "in this picture": "A red car.",
}
FALLBACK = "I do not know."
PAUSE = threading.Event()
"""An event that is never set: the server waits for it to spend time."""
THOUGHTS = "Let me see what that may be."
# With fewer tokens, a model that thinks first ends within its thoughts.
MANY_TOKENS = 1000


class ModelServer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # On a reused connection, Nagle's algorithm would delay every word by 40 ms.
    disable_nagle_algorithm = True
    healthy_when = ""
    refused: ClassVar[set[str]] = set()
    counted: ClassVar[dict[str, int]] = {"prompt_tokens": 0, "completion_tokens": 0}
    counting: ClassVar[threading.Lock] = threading.Lock()
    refusal: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(200, "text/plain", _exposition(self.counted).encode())
            return
        ready = not self.healthy_when or os.path.exists(self.healthy_when)
        self._answer(200 if ready else 503, {})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "instances" in request:
            self._predict(request["instances"])
        elif not self._misbehaves(prompt := _last_words(request), chat=True):
            if request.get("stream"):
                self._stream(prompt, request)
            else:
                self._answer(200, _completion(prompt, request))

    def _predict(self, instances: list[dict[str, Any]]) -> None:
        if self._misbehaves(instances[0].get("prompt", "")):
            return
        if "messages" in instances[0]:
            self._answer(200, {"predictions": _completion(_last_words(instances[0]), instances[0])})
        else:
            self._answer(200, {"predictions": [_prediction(instance) for instance in instances]})

    def _misbehaves(self, prompt: str, *, chat: bool = False) -> bool:
        """`refuse 500` is refused with that status, `refuse once 429` the first time only."""
        if self._refuses(prompt, chat):
            print(self.refusal.get("log", ""), flush=True)
            error = {"message": self.refusal["message"], "code": self.refusal["status"]}
            self._answer(self.refusal["status"], {"error": error})
            return True
        match = re.search(r"refuse( once)? (\d{3})(.*)", prompt)
        if match is None or (match[1] and prompt in self.refused):
            return False
        self.refused.add(prompt)
        self._answer(int(match[2]), {"error": {"message": f"as you wished:{match[3]}", "code": int(match[2])}})
        return True

    def _refuses(self, prompt: str, chat: bool) -> bool:
        unless = self.refusal.get("unless")
        return bool(self.refusal) and (chat or not self.refusal.get("chat")) and not (unless and unless in prompt)

    def _stream(self, prompt: str, request: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        words = re.findall(r"\S+\s*", reply_to(prompt))
        if "break off" in prompt:
            self._event(_chunk({"content": words[0]}))
            self.wfile.write(b"0\r\n\r\n")
            return
        if "fail half way" in prompt:
            self._event(_chunk({"content": words[0]}))
            self._event({"error": {"message": "EngineCore died", "code": 500}})
        else:
            self._event(_chunk({"role": "assistant", "content": ""}))
            message, reason = _message(prompt, request)
            if "reasoning_content" in message:
                self._event(_chunk({"reasoning_content": message["reasoning_content"]}))
            for word in re.findall(r"\S+\s*", message["content"] or ""):
                self._event(_chunk({"content": word}))
                PAUSE.wait(0.005)
            self._event(_chunk({}, finish_reason=reason))
            usage = _usage(prompt, message["content"] or reply_to(prompt))
            self._count(usage)
            self._event({"object": "chat.completion.chunk", "model": "small", "choices": [], "usage": usage})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, chunk: dict[str, Any]) -> None:
        self._write(f"data: {json.dumps(chunk)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self._count(body.get("usage"))
        self._send(status, "application/json", json.dumps(body).encode())

    def _count(self, usage: dict[str, int] | None) -> None:
        with self.counting:
            for name in self.counted:
                self.counted[name] += (usage or {}).get(name, 0)

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def reply_to(prompt: str) -> str:
    # The last question of the prompt, which may begin with examples.
    asked = prompt.rpartition("Question:")[2]
    return next((answer for words, answer in ANSWERS.items() if words in asked), FALLBACK)


def _prediction(instance: dict[str, Any]) -> Any:
    prompt = instance["prompt"]
    if "as a number" in prompt:
        return 7
    text = "" if "say nothing" in prompt else reply_to(prompt)
    return text if instance.get("raw_response") else f"Prompt:\n{prompt.strip()}\nOutput:\n{text}"


def _last_words(request: dict[str, Any]) -> str:
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def _message(prompt: str, request: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The answer and why it ended: `think first` as a server with a reasoning parser, `think aloud` as one without."""
    text = "" if "say nothing" in prompt else reply_to(prompt)
    if request.get("ignore_eos"):
        return {"role": "assistant", "content": "word " * request["max_tokens"]}, "length"
    message: dict[str, Any] = {"role": "assistant", "content": text}
    cut = request.get("max_tokens", MANY_TOKENS) < MANY_TOKENS
    if "think first" in prompt:
        message = {**message, "reasoning_content": THOUGHTS, **({"content": None} if cut else {})}
    if "think aloud" in prompt:
        message["content"] = f"<think>{THOUGHTS}" if cut else f"<think>{THOUGHTS}</think>\n\n{text}"
    if "call a tool" in prompt:
        call = {"id": "call-1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    return message, "length" if cut and "think" in prompt else "stop"


def _completion(prompt: str, request: dict[str, Any]) -> dict[str, Any]:
    message, reason = _message(prompt, request)
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {
        "object": "chat.completion",
        "model": "small",
        "choices": [choice],
        "usage": _usage(prompt, message["content"] or "thoughts alone"),
    }


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "model": "small", "choices": [choice]}


def _usage(prompt: str, text: str) -> dict[str, int]:
    """Tokens are words; a chat template adds one to the prompt."""
    asked, answered = len(prompt.split()) + 1, len(text.split())
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _exposition(counted: dict[str, int]) -> str:
    """vLLM's counters, in Prometheus' text format."""
    return (
        f'vllm:prompt_tokens_total{{model_name="small"}} {counted["prompt_tokens"]}\n'
        f'vllm:generation_tokens_total{{model_name="small"}} {counted["completion_tokens"]}\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--healthy-when", default="")
    parser.add_argument("--exit", type=int)
    parser.add_argument("--say", type=Path)
    parser.add_argument("--refuse", type=Path)
    parser.add_argument("--questions")
    parser.add_argument("--stop-after", type=float, default=0.0)
    options, _ = parser.parse_known_args()
    if options.say:
        print(options.say.read_text(), flush=True)
    if options.exit is not None:
        print("ValueError: the weights are nowhere to be found", file=sys.stderr)
        sys.exit(options.exit)
    ModelServer.healthy_when = options.healthy_when
    if options.refuse:
        ModelServer.refusal = json.loads(options.refuse.read_text())
    if options.questions:
        with open(options.questions) as questions:
            ANSWERS.update((row["question"], row["accepted"][0]) for row in map(json.loads, questions))
    if options.stop_after:
        signal.signal(signal.SIGTERM, lambda *_: (PAUSE.wait(options.stop_after), os._exit(0)))
    # The parent holds the other end of stdin: the server ends with it.
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), ModelServer).serve_forever()


if __name__ == "__main__":
    main()
