"""The store keeps every value, and each value whole."""

import threading
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from localcloud.core.api_errors import ApiError
from localcloud.core.store import Kind, Store

TEXTS = Kind("text", StringValue)
NUMBERS = Kind("number", Int64Value)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.db")


def _text(value: str) -> StringValue:
    return StringValue(value=value)


def test_messages_and_counters_survive_a_restart(store: Store, tmp_path: Path) -> None:
    store.put(TEXTS, "projects/1/texts/a", _text("kept"))
    assert [store.next_number("ids"), store.next_number("ids")] == [1, 2]
    store.close()
    again = Store(tmp_path / "store.db")
    assert again.get(TEXTS, "projects/1/texts/a") == _text("kept")
    assert again.next_number("ids") == 3


def test_kinds_do_not_see_each_other(store: Store) -> None:
    store.put(TEXTS, "same/name", _text("text"))
    assert store.get(NUMBERS, "same/name") is None
    assert store.list(NUMBERS) == []


def test_insert_does_not_replace(store: Store) -> None:
    store.insert(TEXTS, "a", _text("first"))
    with pytest.raises(ApiError) as refused:
        store.insert(TEXTS, "a", _text("second"))
    assert refused.value.code == "ALREADY_EXISTS"
    assert store.require(TEXTS, "a") == _text("first")


def test_what_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(ApiError) as refused:
        store.require(TEXTS, "projects/1/texts/a")
    assert refused.value.body() == {
        "error": {"code": 404, "message": "The StringValue projects/1/texts/a does not exist.", "status": "NOT_FOUND"}
    }


def test_a_parent_holds_its_own_children_only_in_the_order_of_creation(store: Store) -> None:
    for name in ("p/1/t/z", "p/10/t/a", "p/1/t/a", "p/1", "p/1/t/z/deeper/b"):
        store.put(TEXTS, name, _text(name))
    store.put(TEXTS, "p/1/t/z", _text("replaced"))
    assert store.items(TEXTS, "p/1") == [
        ("p/1/t/z", _text("replaced")),
        ("p/1/t/a", _text("p/1/t/a")),
        ("p/1/t/z/deeper/b", _text("p/1/t/z/deeper/b")),
    ]
    assert len(store.list(TEXTS)) == 5


def test_an_update_that_fails_changes_nothing(store: Store) -> None:
    store.put(TEXTS, "a", _text("before"))

    def fail() -> None:
        with store.update(TEXTS, "a") as message:
            message.value = "half done"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.require(TEXTS, "a") == _text("before")


def test_a_transaction_is_undone_whole_with_what_is_nested_in_it(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.put(TEXTS, "a", _text("a"))
            store.insert(TEXTS, "b", _text("b"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.list(TEXTS) == []


def test_concurrent_updates_lose_nothing(store: Store) -> None:
    store.put(NUMBERS, "n", Int64Value(value=0))

    def count() -> None:
        for _ in range(50):
            with store.update(NUMBERS, "n") as number:
                number.value += 1

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.require(NUMBERS, "n").value == 400


def test_delete_says_whether_it_was_there(store: Store) -> None:
    store.put(TEXTS, "a", _text("a"))
    assert [store.delete(TEXTS, "a"), store.delete(TEXTS, "a")] == [True, False]
