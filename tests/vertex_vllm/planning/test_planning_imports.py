"""Planning asks nobody and starts at once: it loads no client library."""

import subprocess
import sys

HEAVY = {"google", "kfp", "grpc", "huggingface_hub", "requests", "torch", "numpy", "matplotlib"}
# An interpreter may begin with the bare `google` namespace: what the import adds counts.
PROGRAM = """
import sys
before = set(sys.modules)
import vertex_vllm.config.pipeline_parameters
import vertex_vllm.planning.planner
import vertex_vllm.planning.render
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_config_and_planning_import_no_client_library() -> None:
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert set(loaded) & HEAVY == set()
