"""Generated ids."""

import itertools

from localcloud.core.ids import Ids


def _ids(seed: str) -> Ids:
    counter = itertools.count(1)
    return Ids(seed, lambda: next(counter))


def test_the_same_seed_gives_the_same_ids() -> None:
    first, second = _ids("a"), _ids("a")
    assert [first.numeric(), first.hex(8), first.numeric(6)] == [second.numeric(), second.hex(8), second.numeric(6)]


def test_ids_have_the_asked_length_and_do_not_repeat() -> None:
    ids = _ids("a")
    made = [ids.numeric(19) for _ in range(1000)]
    assert {len(number) for number in made} == {19}
    assert max(int(number) for number in made) < 2**63
    assert len(set(made)) == 1000
    assert len(ids.hex(128)) == 128


def test_another_seed_gives_other_ids() -> None:
    assert _ids("a").numeric() != _ids("b").numeric()
