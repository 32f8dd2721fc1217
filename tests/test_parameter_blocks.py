"""Parameters that are written into sources, and the page of the console's form: current, and written as described."""

import re
import shutil
from pathlib import Path

import pytest

from tools.parameter_blocks import PAGE, PIPELINES, ROOT, STEPS, differences, written

PLAN, DEPLOY = "components/plan_serving.py", "pipelines/deploy.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that are written."""
    for name in (*STEPS, *PIPELINES, PAGE):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_files_are_what_make_compile_writes() -> None:
    assert differences(written()) == [], "run make compile"


def test_a_field_that_came_or_went_is_put_in_order_and_a_step_s_own_parameters_stay(tree: Path) -> None:
    edit(tree / PLAN, "    spot: bool,\n", "")
    edit(tree / PLAN, "        spot: Cheaper", "        removed: of a field that was removed.\n        spot: Cheap")
    edit(tree / PLAN, "            spot=spot,\n", "            removed=removed,\n")
    edit(tree / DEPLOY, "    spot: bool = False,\n", "    removed: str = '',\n    spot: bool = True,\n")
    edit(tree / PAGE, "| `spot` | `false`.", "| `spot` | `true`.")
    assert written(tree) == {name: (ROOT / name).read_text() for name in (*STEPS, *PIPELINES, PAGE)}


def test_the_last_parameter_that_a_comment_names_follows_the_fields(tree: Path) -> None:
    step = "components/evaluate_endpoint.py"
    edit(tree / step, "to min_tokens_per_second: written", "to former: written")
    edit(tree / step, "    min_tokens_per_second: ", "    former: ")
    assert written(tree)[step] == (ROOT / step).read_text()


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (PLAN, "# Parameters project to ttl:", "#", f"{PLAN} has no line of the form: # Parameters FIRST to LAST"),
        (PLAN, "    ttl: str,\n", "", "no line begins with `project: `, or none with `ttl: `, in lines"),
        (PAGE, "<!-- end of what is generated -->", "", f"{PAGE} has no <!-- generated"),
    ],
)
def test_a_file_without_its_marks_is_named(tree: Path, name: str, old: str, new: str, message: str) -> None:
    edit(tree / name, old, new)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        written(tree)
