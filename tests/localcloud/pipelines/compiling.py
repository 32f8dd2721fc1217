"""Pipelines as the compiled specs that a client submits."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler


@cache
def compiled(pipeline: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return yaml.safe_load(path.read_text())
