"""Write the pipelines as specs: `python -m pipelines.compile [--image IMAGE] [--check]`.

A spec is one YAML document, the same bytes from every compilation, with every parameter described, so that the
console's form is usable by hand (facts about Vertex and KFP behind this: docs/architecture.md).
"""

import argparse
import difflib
import importlib
import sys
import tempfile
from pathlib import Path

from kfp import compiler

from components.image import IMAGE

PIPELINES = ("deploy", "evaluate", "mirror", "sweep", "teardown")
COMPILED = Path(__file__).resolve().parent.parent / "compiled"


# A container's first process gets SIGTERM. In kfp 2.17.0 it is a shell, which ignores the signal there, or ends and
# takes Python along without its clean-up (kubeflow/pipelines#7902, #7903). The image's init therefore comes first,
# which forwards signals, and Python replaces the shell.
_SHELL = "        command:\n        - sh\n        - -ec\n"
_INIT = "        command:\n        - tini\n        - --\n        - sh\n        - -ec\n"
_PYTHON = "_KFP_RUNTIME=true python3 -m "
_EXEC = "_KFP_RUNTIME=true exec python3 -m "


def compile_pipeline(name: str, image: str = IMAGE) -> str:
    """The spec of pipelines/<name>.py with its steps in `image`, where signals reach Python."""
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return _with_signals(path.read_text()).replace(IMAGE, image)


def _with_signals(spec: str) -> str:
    steps = spec.count("        command:\n")
    if not steps == spec.count(_SHELL) == spec.count(_PYTHON):
        raise RuntimeError("kfp compiles another command than that of 2.17.0: signals would not reach the steps")
    return spec.replace(_SHELL, _INIT).replace(_PYTHON, _EXEC)


def stale(image: str = IMAGE) -> list[str]:
    """Unified diffs between compiled/ and a fresh compilation; empty when current."""
    differences = []
    for name in PIPELINES:
        path = COMPILED / f"{name}.yaml"
        committed = path.read_text() if path.exists() else ""
        diff = difflib.unified_diff(
            committed.splitlines(),
            compile_pipeline(name, image).splitlines(),
            f"compiled/{name}.yaml",
            "now",
            lineterm="",
        )
        differences += list(diff)
    return differences


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the pipelines to compiled/*.yaml.")
    parser.add_argument("--image", default=IMAGE, help="image of the steps; a published one is pinned by digest")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a spec is not current")
    arguments = parser.parse_args()
    if arguments.check:
        differences = stale(arguments.image)
        print(
            "\n".join(
                [*differences[:40], "compiled/ is not current: run make compile"]
                if differences
                else ["compiled/ is current"]
            )
        )
        return 1 if differences else 0
    COMPILED.mkdir(exist_ok=True)
    for name in PIPELINES:
        (COMPILED / f"{name}.yaml").write_text(compile_pipeline(name, arguments.image))
        print(f"compiled/{name}.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
