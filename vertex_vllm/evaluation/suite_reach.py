"""The drop that an evaluation can detect, on one line. Loads no client library, because every plan shows it."""

from collections.abc import Sequence

from vertex_vllm.evaluation.statistics.power import power_of
from vertex_vllm.evaluation.suites.shipped_sizes import SHIPPED_SIZES, SuiteSize

PROMOTED, NONE = "promoted", "none"
"""Baselines that are not an address."""


def stated_reach(
    suite: str,
    levels: Sequence[int],
    items: int,
    *,
    baseline: str,
    allowed_regression: float,
    confidence: float,
    project: str = "",
) -> str:
    """Suite, number of questions, and the drop that it sees. Raises InputError and ConfigError as `load_suite`."""
    name, size = _sized(suite, levels, items, project)
    head = f"suite {name}, {size.items} questions of level {', '.join(map(str, size.levels))}"
    if baseline == NONE:
        return f"{head}; compared with no baseline, as the config asks"
    return f"{head}; {power_of(size.items, size.clusters, allowed_regression, confidence)}"


def _sized(suite: str, levels: Sequence[int], items: int, project: str) -> tuple[str, SuiteSize]:
    """Name and size of the part of a suite that is asked. A whole shipped suite is not built for that."""
    known = SHIPPED_SIZES.get(suite)
    if known is not None and not levels and not items:
        return suite, known
    from vertex_vllm.evaluation.suites.suite import part_of
    from vertex_vllm.evaluation.suites.suite_files import load_suite

    part = part_of(load_suite(suite, project), levels, items)
    return part.name, SuiteSize(len(part.items), part.clusters, part.levels)
