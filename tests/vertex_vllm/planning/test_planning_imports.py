"""Planning opens no connection and starts fast: it imports no client library."""

import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "llama-3.1-8b-instruct.yaml"
HEAVY = {
    "google",
    "kfp",
    "grpc",
    "huggingface_hub",
    "requests",
    "torch",
    "numpy",
    "matplotlib",
    "jsonschema",
    "aiohttp",
}
# An interpreter may begin with the bare `google` namespace: what the import adds counts.
PROGRAM = f"""
import contextlib, io, sys
before = set(sys.modules)
from vertex_vllm.cli import main
sys.argv = ["vertex-vllm", "plan", {str(CONFIG)!r}]
said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
    main()
assert "Evaluation" in said.getvalue(), said.getvalue()
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""


def test_a_plan_of_a_known_model_imports_no_client_library() -> None:
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert set(loaded) & HEAVY == set()
