"""The commands of the README work, and print what it shows."""

import re
from pathlib import Path

from tests.vertex_vllm.cli.documented_commands import commands_in, vertex_vllm

ROOT = Path(__file__).resolve().parents[3]


def test_the_commands_that_need_no_project_work_and_print_what_is_shown() -> None:
    commands = {words[1]: words[1:] for words in commands_in("../README.md")}
    # A project's commands have a test of their own: tests/docs/test_five_commands.py.
    assert set(commands) == {"validate", "plan", "bootstrap", "submit", "ask"}
    command, pattern = commands["validate"]
    validated = vertex_vllm(command, *map(str, sorted(ROOT.glob(pattern))))
    assert (validated.returncode, validated.stderr) == (0, "")
    planned = vertex_vllm(*commands["plan"])
    assert planned.returncode == 0, planned.stderr
    shown = re.search(r"```\n(Verdict .*?)\n…", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert shown[1] in planned.stdout
    assert commands["submit"][1] == commands["plan"][1]
