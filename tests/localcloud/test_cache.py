import threading
from pathlib import Path

import pytest

from localcloud.cache import cache_directory, exclusive


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"VERTEX_VLLM_CACHE": "/own"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/vertex-vllm"),
        ({"VERTEX_VLLM_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"HOME": "/home/somebody"}, "/home/somebody/.cache/vertex-vllm"),
    ],
)
def test_where_it_is(variables, expected, monkeypatch):
    for name in ("VERTEX_VLLM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)


def test_one_at_a_time_makes_a_thing_and_the_other_is_told_to_wait(tmp_path, monkeypatch):
    monkeypatch.setenv("VERTEX_VLLM_CACHE", str(tmp_path))
    events: list[str] = []
    told = threading.Event()

    def on_wait() -> None:
        events.append("the second waits")
        told.set()

    def second() -> None:
        with exclusive(tmp_path / "thing", on_wait):
            events.append("the second has it")

    with exclusive(tmp_path / "thing", lambda: events.append("the first waits")):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        events.append("the first is done")
    thread.join()
    assert events == ["the second waits", "the first is done", "the second has it"]


def test_different_things_are_made_at_the_same_time(tmp_path, monkeypatch):
    monkeypatch.setenv("VERTEX_VLLM_CACHE", str(tmp_path))

    def on_wait() -> None:
        raise AssertionError("nobody else makes this")

    with exclusive(tmp_path / "one", on_wait), exclusive(tmp_path / "other", on_wait):
        pass
