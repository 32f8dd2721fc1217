"""Who may import whom (docs/architecture.md), and how tests wait."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"vertex_vllm": ROOT, "components": ROOT, "pipelines": ROOT, "localcloud": ROOT / "localcloud"}
MAY_IMPORT = {
    "components": {"vertex_vllm", "components"},
    "pipelines": {"components", "pipelines"},
    "vertex_vllm": {"vertex_vllm"},
    "vertex_vllm/local": {"vertex_vllm", "localcloud"},
    "localcloud": {"localcloud"},
}
# The commands that run a local cloud, and the modules that they share: inside functions.
MAY_IMPORT_LOCALCLOUD = {
    f"vertex_vllm/cli/{name}.py" for name in ("local", "local_fault", "local_models", "local_state", "demo")
}


def modules() -> list[Path]:
    return sorted(path for package, folder in FOLDERS.items() for path in (folder / package).rglob("*.py"))


def imported_packages(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def allowed(path: Path) -> set[str]:
    name = path.relative_to(ROOT).as_posix()
    area = "vertex_vllm/local" if name.startswith("vertex_vllm/local/") else name.split("/")[0]
    return MAY_IMPORT[area] | ({"localcloud"} if name in MAY_IMPORT_LOCALCLOUD else set())


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_its_place_allows(path: Path) -> None:
    ours = imported_packages(ast.parse(path.read_text())) & set(FOLDERS)
    assert ours <= allowed(path)


@pytest.mark.parametrize("path", [path for path in modules() if path.parent.name == "components"], ids=lambda p: p.stem)
def test_a_component_file_needs_only_kfp_to_be_imported(path: Path) -> None:
    """KFP copies a step's source into the spec without the top of its file, and adds `typing` itself."""
    statements = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    top = set().union(*(imported_packages(node) for node in statements))
    assert top <= {"kfp", "components", "google_cloud_pipeline_components", "typing"}


def test_only_the_cli_imports_the_local_cloud_and_only_inside_a_function() -> None:
    for name in MAY_IMPORT_LOCALCLOUD:
        for node in ast.parse((ROOT / name).read_text()).body:
            assert "localcloud" not in imported_packages(node) or isinstance(
                node, ast.FunctionDef | ast.If | ast.ClassDef
            )


def sleeps(path: Path) -> list[str]:
    """The lines of a file that call `time.sleep` or `asyncio.sleep`, or import `sleep` to call it by itself."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"
        imported = isinstance(node, ast.ImportFrom) and "sleep" in {alias.name for alias in node.names}
        if called or imported:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_tests_wait_for_a_state_and_not_for_a_clock() -> None:
    waiting = ROOT / "tests" / "waiting.py"
    files = [path for path in sorted((ROOT / "tests").rglob("*.py")) if path != waiting]
    assert [line for path in files for line in sleeps(path)] == []
    assert sleeps(waiting) != []
