"""What the source of one vLLM version says of its quantisation methods: least compute capability, and number formats.

Read from the syntax trees of `vllm/model_executor/layers/quantization`, so nothing is imported. Schemes of
compressed-tensors are named `compressed-tensors/w8a8_fp8`, after their files.
"""

import ast
from pathlib import Path
from typing import TypedDict

FOLDER = "vllm/model_executor/layers/quantization"
SCHEMES = "compressed_tensors/schemes"
_NAMES = {"half": "float16", "float": "float32"}


class Limits(TypedDict):
    capability: str
    """CUDA compute capability, for example 8.9; empty: the class does not say."""
    dtypes: list[str]
    """Formats that activations may have; empty: the class does not say."""


def read_quantizations(root: Path) -> dict[str, Limits]:
    """Method, or `compressed-tensors/scheme` → limits. `root` holds the unpacked `vllm` package."""
    folder = root / FOLDER
    classes = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
    found = {method: _limits(name, classes) for method, name in _methods(folder / "__init__.py").items()}
    for file in sorted((folder / SCHEMES).glob("compressed_tensors_w*.py")):
        scheme = file.stem.removeprefix("compressed_tensors_")
        parsed = ast.parse(file.read_text(encoding="utf-8")).body
        named = [node.name for node in parsed if isinstance(node, ast.ClassDef) and _is_scheme(node)]
        if named:
            found[f"compressed-tensors/{scheme.lower()}"] = _limits(named[0], classes)
    return {method: limits for method, limits in sorted(found.items()) if limits["capability"] or limits["dtypes"]}


def read_refusing_float16(root: Path) -> list[str]:
    """`model_type`s that this version refuses to compute in float16 (`_FLOAT16_NOT_SUPPORTED_MODELS`)."""
    return sorted(_assigned(root, "_FLOAT16_NOT_SUPPORTED_MODELS"))


def resolves_auto_dtype(root: Path) -> bool:
    """Whether `dtype: auto` falls back to a format that the card has, instead of refusing the model's own."""
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
    """The last value that a class's method returns, its own or a base's."""
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
