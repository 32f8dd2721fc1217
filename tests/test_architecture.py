"""Import rules (docs/architecture.md), unique file names, and how tests wait."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from vertex_vllm import labels

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / "vertex_vllm" / "local"
LIBRARY = sorted((ROOT / "vertex_vllm").rglob("*.py"))


def imported_packages(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_the_contracts_of_pyproject_hold() -> None:
    """In a process of its own: import-linter disables the loggers of the one that it runs in."""
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "components").glob("*.py")), ids=lambda path: path.stem)
def test_a_component_file_needs_only_kfp_to_be_imported(path: Path) -> None:
    """KFP copies a step's source into the spec without the top of its file, and adds `typing` itself."""
    statements = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    top = set().union(*(imported_packages(node) for node in statements))
    assert top <= {"kfp", "components", "google_cloud_pipeline_components", "typing"}


def test_the_library_imports_the_local_cloud_only_inside_functions() -> None:
    """Import-linter checks which commands import it; this test checks where in a file they do.

    An installation without the extra `local` has no `localcloud`, which `vertex_vllm.local` imports.
    """
    for path in LIBRARY:
        if not path.is_relative_to(LOCAL):
            for node in ast.parse(path.read_text()).body:
                inside = isinstance(node, ast.FunctionDef | ast.If | ast.ClassDef)
                assert inside or not imports_the_local_cloud(node), path.relative_to(ROOT)


def imports_the_local_cloud(tree: ast.AST) -> bool:
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return "localcloud" in imported_packages(tree) or any(
        f"{name}.".startswith("vertex_vllm.local.") for name in modules
    )


def test_a_file_name_occurs_once_in_the_library() -> None:
    """A search for a bare name finds one file."""
    files = [path for path in (ROOT / "vertex_vllm").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    # Files of the demo's two repositories have the names that the Hub wants.
    named = [path for path in files if not path.name.startswith("__") and "repository_files" not in path.parts]
    names = Counter(path.name for path in named)
    assert [name for name, count in names.items() if count > 1] == []


def test_no_file_passes_300_lines() -> None:
    files = [
        path
        for package in ("vertex_vllm", "components", "pipelines", "localcloud", "tests", "benchmarks", "tools")
        for path in (ROOT / package).rglob("*.py")
    ]
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path for path, count in lines.items() if count > 300} == set()


def test_a_sentence_about_the_code_begins_with_its_subject() -> None:
    """Docstrings and comments begin with the thing, and not with a pronoun."""
    riddle = re.compile(r'\s*("""|# )(What|Who|Whom|Whose|So|That)\b')
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in (
            "vertex_vllm",
            "components",
            "pipelines",
            "localcloud/localcloud",
            "tests",
            "tools",
            "benchmarks",
        )
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if riddle.match(line)
    ]
    assert found == []


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


def test_label_keys_are_written_in_one_module() -> None:
    """project_names.py is left out: an account has the name of a label by chance."""
    keys = {value for name, value in vars(labels).items() if name.endswith("_LABEL")}
    assert len(keys) >= 13
    raw = {
        str(path.relative_to(ROOT))
        for package in ("vertex_vllm", "components", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in keys and path.name not in ("labels.py", "project_names.py")
    }
    assert raw == set()
