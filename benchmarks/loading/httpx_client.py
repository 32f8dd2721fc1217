"""The same load by httpx, in one process: `python -m benchmarks.loading.httpx_client URL RATE COUNT ANSWER_TOKENS`."""

import asyncio
import gc
import sys

import httpx

from vertex_vllm.inference.chat import read_chunk
from vertex_vllm.inference.events import EventReader
from vertex_vllm.load.load_worker import allow_many_files
from vertex_vllm.load.prompts import PromptWriter


async def _ask(client: httpx.AsyncClient, url: str, prompt: str, tokens: int) -> None:
    body = {
        "model": "stub",
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": tokens,
    }
    reader = EventReader()
    async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for piece in response.aiter_raw():
            for data in reader.feed(piece):
                if data != "[DONE]":
                    read_chunk(data, 0.0)


async def _main(url: str, rate: float, count: int, tokens: int) -> None:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    writer = PromptWriter(1)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        gc.collect()
        gc.freeze()
        gc.disable()
        loop = asyncio.get_running_loop()
        start, tasks = loop.time(), []
        for number in range(count):
            await asyncio.sleep(max(start + number / rate - loop.time(), 0))
            tasks.append(asyncio.create_task(_ask(client, url, writer.text(number, 31), tokens)))
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    allow_many_files()
    asyncio.run(_main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
