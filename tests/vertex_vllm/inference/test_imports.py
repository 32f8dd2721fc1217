"""Imports of the inference client: none is slow before the first request."""

import subprocess
import sys


def test_asking_and_evaluating_do_not_import_vertex_ais_client() -> None:
    script = """
import sys
import vertex_vllm.evaluation.evaluation_report, vertex_vllm.evaluation.gates, vertex_vllm.inference.smoke
print([name for name in sys.modules if name.startswith("google.cloud.aiplatform")])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
