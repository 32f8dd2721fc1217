"""Parameters of pipelines and steps, and the table of docs/console.md, written from the fields of `Deployment`.

`python -m tools.parameter_blocks [--check]`. KFP copies a step's source into the spec, so its signature must be in its
file. A comment above each function names the first and the last parameter that this program writes; it writes
them in the signature, in the docstring and in the call that makes a config of them.
"""

import argparse
import ast
import difflib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vertex_vllm.config.pipeline_parameters import Parameter, parameters_of, parameters_of_step

ROOT = Path(__file__).resolve().parent.parent
# File → the function, if there is one, that the file calls with all parameters of its step.
STEPS = {"components/plan_serving.py": "deployment_from_parameters", "components/evaluate_endpoint.py": ""}
PIPELINES = tuple(f"pipelines/{name}.py" for name in ("deploy", "evaluate", "mirror", "sweep", "teardown"))
PAGE = "docs/console.md"
BEGIN = "<!-- generated from vertex_vllm/config/deployment.py: make compile -->"
END = "<!-- end of what is generated -->"
MARK = "# Parameters {} to {}: written by `make compile` from vertex_vllm/config/deployment.py."
_MARK = re.compile(re.escape(MARK).replace(r"\{\}", r"(\w+)"))
_WIDTH = 120

Span = tuple[str, str]
"""Names of the first and the last parameter in a file's generated block."""


def written(root: Path = ROOT) -> dict[str, str]:
    """File below `root` → its new text. Raises ValueError for missing marks or a too long description."""
    files = {}
    for name in (*STEPS, *PIPELINES):
        source, function = (root / name).read_text(encoding="utf-8"), Path(name).stem
        in_pipeline = name in PIPELINES
        parameters = parameters_of(function) if in_pipeline else parameters_of_step(function)
        if called := STEPS.get(name):
            source = _with_call(source, called, _span(source, name), parameters)
        files[name] = _with_parameters(source, name, parameters, defaults=in_pipeline)
    page = (root / PAGE).read_text(encoding="utf-8")
    return files | {PAGE: _with_table(page, parameters_of("deploy"))}


def _span(source: str, name: str) -> Span:
    found = _MARK.search(source)
    if found is None:
        raise ValueError(f"{name} has no line of the form: {MARK.format('FIRST', 'LAST')}")
    return found[1], found[2]


def _with_parameters(source: str, name: str, parameters: Sequence[Parameter], *, defaults: bool) -> str:
    """The source with new parameters and descriptions in its function, between the two names in its mark."""
    first, last = _span(source, name)
    lines = source.splitlines()
    function = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    docstring = function.body[0]
    described = _lines_between(lines, docstring.lineno, docstring.end_lineno or 0, rf"{first}: ", rf"{last}: ")
    lines[slice(*described)] = [_description(parameter) for parameter in parameters]
    signature = _lines_between(lines, function.lineno, docstring.lineno - 1, rf"{first}: ", rf"{last}: ")
    lines[slice(*signature)] = [_argument(parameter, defaults=defaults) for parameter in parameters]
    mark = MARK.format(parameters[0].name, parameters[-1].name)
    return _MARK.sub(mark, "\n".join(lines) + "\n")


def _with_call(source: str, called: str, span: Span, parameters: Sequence[Parameter]) -> str:
    """The source with new keywords in the call of `called`, from the first name in `span` to the last."""
    lines = source.splitlines()
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    call = next(node for node in calls if isinstance(node.func, ast.Name) and node.func.id == called)
    first, last = span
    begin, end = _lines_between(lines, call.lineno, call.end_lineno or 0, rf"{first}={first},$", rf"{last}={last},$")
    indent = lines[begin][: -len(lines[begin].lstrip())]
    lines[begin:end] = [f"{indent}{parameter.name}={parameter.name}," for parameter in parameters]
    return "\n".join(lines) + "\n"


def _lines_between(lines: Sequence[str], begin: int, end: int, first: str, last: str) -> tuple[int, int]:
    """Index of the line that matches `first`, and the index after the line of `last`, in lines `begin` to `end`."""
    numbered = range(begin - 1, end)
    found = [[index for index in numbered if re.match(rf"\s*{text}", lines[index])] for text in (first, last)]
    if not all(found):
        text = "\n".join(lines[begin - 1 : end])
        raise ValueError(f"no line begins with `{first}`, or none with `{last}`, in lines {begin} to {end}:\n{text}")
    return found[0][0], found[1][0] + 1


def _argument(parameter: Parameter, *, defaults: bool) -> str:
    given = json.dumps(parameter.default) if isinstance(parameter.default, str) else repr(parameter.default)
    default = f" = {given}" if defaults and parameter.default is not None else ""
    return f"    {parameter.name}: {parameter.type.__name__}{default},"


def _description(parameter: Parameter) -> str:
    line = f"        {parameter.name}: {parameter.description}"
    if len(line) > _WIDTH:
        over = len(line) - _WIDTH
        raise ValueError(f"the description of {parameter.name} is {over} characters too long for a line; shorten it")
    return line


def _with_table(page: str, parameters: Sequence[Parameter]) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no {BEGIN} … {END}")
    table = "\n".join(("| field | what to enter |", "|---|---|", *map(_row, parameters)))
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _row(parameter: Parameter) -> str:
    default = parameter.default if isinstance(parameter.default, str) else json.dumps(parameter.default)
    shown = "**required.** " if parameter.default is None else f"`{default}`. " if default else ""
    return f"| `{parameter.name}` | {shown}{parameter.description} |"


def differences(files: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """Unified diffs from the files on disk to the texts `files`."""
    return [
        line
        for name, text in files.items()
        for line in difflib.unified_diff(
            (root / name).read_text(encoding="utf-8").splitlines(), text.splitlines(), name, "generated", lineterm=""
        )
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the parameters of pipelines and steps, and docs/console.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not current")
    check = parser.parse_args().check
    try:
        files = written()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if check:
        different = differences(files)
        print("\n".join([*different, "not current: run make compile"] if different else ["parameters are current"]))
        return 1 if different else 0
    for name, text in files.items():
        (ROOT / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
