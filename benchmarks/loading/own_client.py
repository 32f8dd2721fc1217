"""Our load generator as a command: `python -m benchmarks.loading.own_client URL RATE COUNT ANSWER_TOKENS STREAMS`."""

import json
import sys

from vertex_vllm.catalog.load_profiles import named_profile
from vertex_vllm.load.address import server_address
from vertex_vllm.load.due_requests import OpenLoop, schedule
from vertex_vllm.load.generator import LoadGenerator
from vertex_vllm.load.loops import Limits
from vertex_vllm.percentiles import percentile


def main(url: str, rate: float, count: int, tokens: int, streams: int) -> None:
    profile = named_profile("short", answer_tokens=f"fixed({tokens})")
    with LoadGenerator(server_address(f"{url}/v1", "stub")) as generator:
        # Equal gaps, so that the server can compute from arrivals how late each request is.
        dues = schedule(OpenLoop(rate, poisson=False), profile, count, 0, seed=1)
        run = generator.run(dues, Limits(600, 60, 8192), streams)
    late = [sample.timer_error for sample in run.samples]
    failed = sum(bool(sample.error) for sample in run.samples)
    print(json.dumps({"failed": failed, "own_timer_error_p99": percentile(late, 99)}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:6]))
