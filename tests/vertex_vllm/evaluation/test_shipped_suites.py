"""The suites that ship: large enough, the same on every machine, and answerable."""

import json
import re
from collections import Counter

import pytest

from vertex_vllm.evaluation.suites.checks import Choice, Exact, Form, Includes, JsonSchema, Number, Regex
from vertex_vllm.evaluation.suites.item import Item, completion_text
from vertex_vllm.evaluation.suites.shipped_sizes import SHIPPED_SIZES, SuiteSize
from vertex_vllm.evaluation.suites.shipped_suites import SHIPPED, shipped_suite

# A changed digest is another suite: earlier results are not compared with results on it. Change it knowingly.
DIGESTS = {"text": "23aded1d2355cb75", "image": "18b756286a56e3da"}


@pytest.mark.parametrize(("name", "least"), [("text", 600), ("image", 200)])
def test_the_shipped_suites_are_large_and_cover_every_level_of_every_category(name: str, least: int) -> None:
    suite = shipped_suite(name)
    assert len(suite.items) >= least
    assert len({item.id for item in suite.items}) == len({item.digest for item in suite.items}) == len(suite.items)
    counts = Counter((item.category, item.level) for item in suite.items)
    assert {level for _, level in counts} == {1, 2, 3, 4}
    assert len(set(counts.values())) == 1
    assert all(bool(item.content) == (name == "image") for item in suite.items)
    assert suite.license == "Apache-2.0"


@pytest.mark.parametrize("name", SHIPPED)
def test_plans_state_the_size_of_each_suite(name: str) -> None:
    suite = shipped_suite(name)
    assert SHIPPED_SIZES[name] == SuiteSize(len(suite.items), suite.clusters, suite.levels)


@pytest.mark.parametrize("name", DIGESTS)
def test_the_generated_items_are_the_same_on_every_machine(name: str) -> None:
    assert shipped_suite(name).digest == DIGESTS[name]


def test_the_small_suites_are_parts_of_the_large_ones() -> None:
    large = {item.digest for item in shipped_suite("text-and-image").items}
    for name in ("text-small", "image-small"):
        small = shipped_suite(name)
        assert {item.digest for item in small.items} < large
        assert small.levels == (1,)
        assert len({item.category for item in small.items}) == len(
            {item.category for item in shipped_suite(name.removesuffix("-small")).items}
        )


def right_answer(item: Item) -> str:
    """An answer that must be right, made from the check and the prompt alone."""
    check = item.check
    if isinstance(check, Exact):
        return check.accepted[0]
    if isinstance(check, Number):
        return f"It is {check.value:,}"
    if isinstance(check, Choice):
        return chr(ord("A") + check.right_option)
    if isinstance(check, JsonSchema):
        return json.dumps({key: value["const"] for key, value in check.json_schema["properties"].items()})
    if isinstance(check, Includes):
        return " and ".join([*check.all_of, *check.any_of[:1]])
    if isinstance(check, Regex):
        return _matching(item.prompt, check.pattern)
    assert isinstance(check, Form)
    return _formed(check)


def _matching(prompt: str, pattern: str) -> str:
    if ends := re.search(r"\.\*\\b(\w+)", pattern):
        return f"Apples are, {ends[1]}."
    word = re.search(r"word (\w+)", prompt)
    assert word is not None
    times = re.search(r"exactly (\d)", prompt)
    return ", ".join([word[1]] * int(times[1])) if times else word[1].upper()


def _formed(check: Form) -> str:
    words = [*filter(None, [check.begins]), *check.includes]
    words += ["word"] * ((check.words or 0) - len(words))
    text = " ".join([*words, *filter(None, [check.ends])])
    if check.lines and check.lines > 1:
        text = "\n".join([check.begins, *["line"] * (check.lines - 2), check.ends])
    return text.upper() if check.case == "upper" else text


@pytest.mark.parametrize("name", ["text", "image"])
def test_every_item_can_be_answered_right_and_an_empty_answer_is_wrong(name: str) -> None:
    wrong = [item.id for item in shipped_suite(name).items if not item.check.right(right_answer(item))]
    assert wrong == []
    assert not [item.id for item in shipped_suite(name).items if item.check.right("")]


def test_a_question_does_not_pass_for_its_own_answer() -> None:
    """A repeated prompt is not a right answer. Questions about words of the prompt use the stop string to detect it."""
    items = [
        item for item in shipped_suite("text").items if not isinstance(item.check, Number | Includes | Form | Choice)
    ]
    assert not [item.id for item in items if item.check.right(completion_text(item))]


def test_every_shipped_suite_says_what_it_is() -> None:
    for name in SHIPPED:
        assert shipped_suite(name).description
