"""Tests that take long and have no mark: a warning at the end of a run, never a failure."""

import pytest

LONG_SECONDS = 15.0
_MARKS = {"slow", "vllm"}


def is_long(report: pytest.TestReport) -> bool:
    """Whether a test without a mark took long, fixtures not counted."""
    return report.when == "call" and report.duration > LONG_SECONDS and not _MARKS & report.keywords.keys()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    long = [report for report in reports if isinstance(report, pytest.TestReport) and is_long(report)]
    if not long:
        return
    terminalreporter.section(f"{len(long)} tests took more than {LONG_SECONDS:.0f} s and are not marked slow or vllm")
    for report in sorted(long, key=lambda report: -report.duration):
        terminalreporter.line(f"{report.duration:6.1f} s  {report.nodeid}", yellow=True)
