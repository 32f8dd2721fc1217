import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from localcloud.core.cache import cache_directory
from localcloud.core.locks import exclusive


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LOCALCLOUD_CACHE": "/own"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/localcloud"),
        ({"LOCALCLOUD_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"HOME": "/home/somebody"}, "/home/somebody/.cache/localcloud"),
    ],
)
def test_where_it_is(variables: Mapping[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCALCLOUD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)


def test_one_at_a_time_makes_a_thing_and_the_other_is_told_to_wait(tmp_path: Path) -> None:
    events: list[str] = []
    told = threading.Event()

    def on_wait() -> None:
        events.append("the second waits")
        told.set()

    def second() -> None:
        with exclusive(tmp_path / "thing", on_wait, locks=tmp_path):
            events.append("the second has it")

    with exclusive(tmp_path / "thing", lambda: events.append("the first waits"), locks=tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        events.append("the first is done")
    thread.join()
    assert events == ["the second waits", "the first is done", "the second has it"]


def test_different_things_are_made_at_the_same_time(tmp_path: Path) -> None:
    def on_wait() -> None:
        raise AssertionError("nobody else makes this")

    with (
        exclusive(tmp_path / "one", on_wait, locks=tmp_path),
        exclusive(tmp_path / "other", on_wait, locks=tmp_path),
    ):
        pass
