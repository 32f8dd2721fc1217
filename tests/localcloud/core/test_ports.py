"""The ports of a state directory."""

from dataclasses import asdict, replace
from pathlib import Path

from localcloud.core.ports import choose_ports, listen


def test_ports_stay_but_for_the_one_that_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = choose_ports(file)
    assert len(set(asdict(first).values())) == 7
    assert choose_ports(file) == first
    with listen(first.proxy):
        second = choose_ports(file)
    assert second.proxy != first.proxy
    assert replace(second, proxy=first.proxy) == first
    assert choose_ports(file) == second


def test_a_broken_record_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert choose_ports(tmp_path / "ports.json") == choose_ports(tmp_path / "ports.json")
