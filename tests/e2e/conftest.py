"""Parity of the end-to-end tests.

A mark on every test says whether it has run on the real cloud: `parity("checked on the cloud")`, `parity("not yet")`
or `parity("local cloud only")`. `make test-cloud` runs those with the first two on a real project; `machine_hours`
limits the hours of machines that a test rents there.
"""

from pathlib import Path

import pytest

from tests.demo_project import SERVED_HOURS, allow_hours
from tests.real_cloud import PARITY, REAL, RefusedError, check_budget


@pytest.hookimpl(trylast=True)  # after -k and -m have deselected tests
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Selects the tests that run on this cloud, and refuses a budget that is too low before any of them starts."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        marker = item.get_closest_marker("parity")
        if marker is None or marker.args not in [(state,) for state in PARITY]:
            raise pytest.UsageError(f"{item.nodeid}: mark it as parity(…), one of: {', '.join(PARITY)}")
    if REAL is None:
        return
    kept = [item for item in ours if _parity(item).args != ("local cloud only",)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    hours = sum(_parity(item).kwargs.get("machine_hours", 0.0) for item in kept)
    hours += SERVED_HOURS * any("served_text" in getattr(item, "fixturenames", ()) for item in kept)
    try:
        told = check_budget(REAL, hours)
    except RefusedError as error:
        raise pytest.UsageError(str(error)) from None
    print(f"On {REAL.id} in {REAL.region}, {told}")
    # Runs of tests that rent nothing take time, too; no machine stays rented beyond this limit.
    allow_hours(hours)


def _parity(item: pytest.Item) -> pytest.Mark:
    marker = item.get_closest_marker("parity")
    assert marker is not None
    return marker
