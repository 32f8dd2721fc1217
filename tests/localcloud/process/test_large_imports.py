"""Imports of large packages, as the daemon and the fork server do them."""

import gc

import pytest

from localcloud.process.large_imports import kept_objects


def test_garbage_is_collected_again_afterwards_and_what_was_made_is_left_out() -> None:
    frozen = gc.get_freeze_count()
    with kept_objects():
        assert not gc.isenabled()
        made: list[list[int]] = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(made)


def test_after_a_failed_import_too() -> None:
    with pytest.raises(ModuleNotFoundError), kept_objects():
        raise ModuleNotFoundError
    assert gc.isenabled()
