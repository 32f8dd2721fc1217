"""Pipelines as the compiled specs that a client submits."""

import copy
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


def compiled_with_init(pipeline: Any) -> dict[str, Any]:
    """The compiled spec with an init before each Python component, and Python in the place of the shell.

    As kfp compiles it, no signal would reach the component in a container.
    """
    spec = copy.deepcopy(compiled(pipeline))
    for executor in spec["deploymentSpec"].get("executors", {}).values():
        command = executor.get("container", {}).get("command", [])
        if command[:2] == ["sh", "-ec"]:
            script = command[2].replace(" python3 -m kfp", " exec python3 -m kfp")
            executor["container"]["command"] = ["tini", "--", "sh", "-ec", script, *command[3:]]
    return spec
