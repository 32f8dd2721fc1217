"""Quantisation methods of one vLLM version, from its source: names, minimal compute capability, number formats.

Read from the syntax trees of `vllm/model_executor/layers/quantization`, so nothing is imported. Schemes of
compressed-tensors are named `compressed-tensors/w8a8_fp8`, after their files, and ModelOpt's algorithms `modelopt/FP8`.
"""

import ast
from pathlib import Path
from typing import TypedDict

FOLDER = "vllm/model_executor/layers/quantization"
SCHEMES = "compressed_tensors/schemes"
_NAMES = {"half": "float16", "float": "float32"}


class Limits(TypedDict):
    capability: str
    """Minimal CUDA compute capability, for example 8.9; empty: not in the class."""
    dtypes: list[str]
    """Number formats that activations may have; empty: not in the class."""


def read_quantizations(root: Path) -> dict[str, Limits]:
    """Method, or `method/scheme` → limits, empty if no class has any. `root`: folder of the unpacked `vllm` package."""
    folder = root / FOLDER
    classes = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
    found: dict[str, Limits] = {
        **{name: Limits(capability="", dtypes=[]) for name in [*_named(folder / "__init__.py"), *_algorithms(folder)]},
        **{method: _limits(name, classes) for method, name in _methods(folder / "__init__.py").items()},
    }
    for file in sorted((folder / SCHEMES).glob("compressed_tensors_w*.py")):
        scheme = file.stem.removeprefix("compressed_tensors_")
        parsed = ast.parse(file.read_text(encoding="utf-8")).body
        named = [node.name for node in parsed if isinstance(node, ast.ClassDef) and _is_scheme(node)]
        if named:
            found[f"compressed-tensors/{scheme.lower()}"] = _limits(named[0], classes)
    return dict(sorted(found.items()))


def read_refusing_float16(root: Path) -> list[str]:
    """`model_type`s that this version refuses to compute in float16 (`_FLOAT16_NOT_SUPPORTED_MODELS`)."""
    return sorted(_assigned(root, "_FLOAT16_NOT_SUPPORTED_MODELS"))


def resolves_auto_dtype(root: Path) -> bool:
    """Whether `dtype: auto` falls back to a format of the card, instead of refusing the model's format."""
    return any("def _resolve_auto_dtype" in file.read_text(encoding="utf-8") for file in _config_files(root))


def _assigned(root: Path, name: str) -> list[str]:
    for file in _config_files(root):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and target.id == name and value is not None:
                return list(ast.literal_eval(value))
    return []


def _config_files(root: Path) -> list[Path]:
    single = root / "vllm" / "config.py"
    return [single] if single.is_file() else sorted((root / "vllm" / "config").glob("*.py"))


def _methods(file: Path) -> dict[str, str]:
    """Method → class, from the largest dictionary of names to classes in the package's `__init__`."""
    tables = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Dict)]
    rows: list[dict[str, str]] = [
        {
            str(key.value): value.id
            for key, value in zip(table.keys, table.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(value, ast.Name)
        }
        for table in tables
    ]
    return max(rows, key=len, default={})


def _named(file: Path) -> list[str]:
    """Names that a version accepts (`QuantizationMethods`), including names without a class."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "QuantizationMethods":
            return [str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return []


def _algorithms(folder: Path) -> list[str]:
    """ModelOpt's algorithms that a version accepts: only FP8 if it has no list `QUANT_ALGOS`."""
    file = folder / "modelopt.py"
    if not file.is_file():
        return []
    parsed = ast.parse(file.read_text(encoding="utf-8")).body
    tables = {ast.unparse(target): value for target, value in map(_target, parsed) if target is not None and value}
    listed = tables.get("QUANT_ALGOS")
    names = ["FP8"] if listed is None else []
    for each in listed.elts if isinstance(listed, ast.List) else ():
        inner = tables.get(ast.unparse(each.value)) if isinstance(each, ast.Starred) else None
        keys = inner.keys if isinstance(inner, ast.Dict) else [each]
        names += [str(key.value) for key in keys if isinstance(key, ast.Constant)]
    return [f"modelopt/{name}" for name in names]


def _target(node: ast.stmt) -> tuple[ast.expr | None, ast.expr | None]:
    """Name and value of an assignment, annotated or not."""
    if isinstance(node, ast.Assign):
        return node.targets[0], node.value
    return (node.target, node.value) if isinstance(node, ast.AnnAssign) else (None, None)


def _is_scheme(node: ast.ClassDef) -> bool:
    return any("Scheme" in ast.unparse(base) for base in node.bases)


def _limits(name: str, classes: dict[str, ast.ClassDef]) -> Limits:
    capability = _returned(name, "get_min_capability", classes)
    dtypes = _returned(name, "get_supported_act_dtypes", classes)
    number = capability.value if isinstance(capability, ast.Constant) else None
    return Limits(
        capability=f"{number // 10}.{number % 10}" if isinstance(number, int) and number >= 10 else "",
        dtypes=_formats(dtypes),
    )


def _returned(name: str, method: str, classes: dict[str, ast.ClassDef]) -> ast.expr | None:
    """The last value that a class's method, or its base's method, returns."""
    node = classes.get(name)
    if node is None:
        return None
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == method:
            returns = [step.value for step in ast.walk(each) if isinstance(step, ast.Return)]
            return returns[-1] if returns else None
    bases = (_returned(base.id, method, classes) for base in node.bases if isinstance(base, ast.Name))
    return next((found for found in bases if found is not None), None)


def _formats(value: ast.expr | None) -> list[str]:
    named = [item.attr for item in value.elts if isinstance(item, ast.Attribute)] if isinstance(value, ast.List) else []
    computed = {_NAMES.get(name, name) for name in named}
    return sorted(computed & {"bfloat16", "float16", "float32"})
