"""Which tests a suite leaves out, and which tests one process runs.

Two marks on single tests say what a test needs: `vllm` (asks real vLLM on the CPU) and `slow` (left to
`make test-all`). The tests of a file share what its fixtures start, so one process runs them all; tests with `vllm`
share one vLLM, so one process runs these, whichever file they stand in.
"""

from collections import Counter
from typing import Any

import pytest

SUITES = {"not slow": "make test-all", "not vllm and not slow": "make test"}
"""Selections by marks, each with the command that runs what the selection leaves out."""
_VLLM = "vLLM"
_LONGEST_ID = 200  # characters


def pytest_make_parametrize_id(val: object) -> str | None:
    """The beginning of a long text: a test's id goes through xdist three times, and into every child's environment."""
    return f"{val[:_LONGEST_ID]!a}… {len(val)}" if isinstance(val, str | bytes) and len(val) > _LONGEST_ID else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Names each test's group for xdist's `loadgroup`. The group of vLLM comes first, since it takes longest.

    Its last tests search all files of the earlier ones for the token.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: (_group(item) != _VLLM, item.path.name == "test_token_scan.py"))


def _group(item: pytest.Item) -> str:
    return _VLLM if item.get_closest_marker("vllm") else item.nodeid.partition("::")[0]


class LeftOut:
    """The tests that a selection by marks leaves to another command, by file; told when the run ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._files: Counter[str] = Counter()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._files.update(item.nodeid.partition("::")[0] for item in items)

    def pytest_sessionfinish(self) -> None:
        """In a worker of xdist: reports the tests that it left out. Every worker collects the same tests."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["left_out"] = dict(self._files)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._files = Counter(getattr(node, "workeroutput", {}).get("left_out", {})) or self._files

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        selection, count = self._config.option.markexpr, self._files.total()
        if not selection and self._config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            terminalreporter.line("No test was left out.")
        if selection not in SUITES or not count:
            return  # a selection that no command of `make` has
        terminalreporter.section(f"{count} tests are left to `{SUITES[selection]}`")
        for file, tests in sorted(self._files.items()):
            terminalreporter.line(f"{tests:5} {file}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LeftOut(config), "left out")
