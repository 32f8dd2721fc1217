"""The container's own lines in its log, among those of vLLM."""

import time


def log(line: str) -> None:
    print(f"container {time.strftime('%H:%M:%S')} {line}", flush=True)
