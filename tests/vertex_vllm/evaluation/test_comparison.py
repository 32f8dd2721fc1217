"""The gate on recorded answers of real vLLM: the same model passes, and a broken deployment of it fails.

recorded/text-levels-1-2.jsonl: SmolLM2-135M-Instruct on vLLM for the CPU, levels 1 and 2 of the text suite, 2026-11-30.
The faults are simulated on these answers; tests/e2e/test_paired_gate.py has faults of real vLLM.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest

from tests.vertex_vllm.evaluation.evaluations import many
from tests.vertex_vllm.evaluation.recorded_runs import answered, as_baseline, recorded
from vertex_vllm.evaluation.comparison import Comparison, Terms, compare
from vertex_vllm.evaluation.questioning import Answered
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.evaluation.suites.suite import part_of

COMMIT = "a" * 40
RUNS = 20
BROKEN_RUNS = 4
# Share of answers that differ between two runs: real vLLM with greedy decoding on a CPU changed none of 180.
NOISE = 0.02

Fault = Callable[[Answered, Random], str]
"""Answer of a broken endpoint in the place of a recorded answer."""


@pytest.fixture(scope="module")
def baseline() -> tuple[Answered, ...]:
    return recorded("text-levels-1-2", part_of(shipped_suite("text"), [1, 2]).items)


def run(baseline: Sequence[Answered], fault: Fault, seed: int = 0) -> tuple[Answered, ...]:
    random = Random(seed)
    return tuple(answered(each.item, fault(each, random)) for each in baseline)


def compared(baseline: Sequence[Answered], candidate: Sequence[Answered], commit: str = COMMIT) -> Comparison:
    found = compare(as_baseline(baseline, COMMIT), candidate, commit, Terms())
    assert found is not None
    return found


def noise(each: Answered, random: Random) -> str:
    """Rounding: some answers change, right ones and wrong ones."""
    if random.random() >= NOISE:
        return each.answer
    return each.item.check.expected if random.random() < 0.5 else f"{each.answer} or so"


def test_runs_of_the_same_model_pass_against_their_own_baseline(baseline: tuple[Answered, ...]) -> None:
    alarms = [seed for seed in range(RUNS) if not compared(baseline, run(baseline, noise, seed)).passed]
    assert alarms == []


def test_an_identical_run_differs_in_nothing(baseline: tuple[Answered, ...]) -> None:
    same = compared(baseline, baseline)
    assert (same.passed, same.lost, same.gained, same.changed, same.p_value) == (True, (), (), (), 1.0)


@pytest.mark.parametrize(
    ("name", "verdict", "worse", "lost"),
    [
        ("truncated-context", "undecided", ("json",), 25),
        ("dropped-system-message", "worse", ("system",), 9),
        ("forced-temperature", "worse", (), 56),
        ("lost-stop-string", "worse", (), 7),
        ("wrong-template", "worse", ("copying", "json"), 60),
    ],
)
def test_broken_servings_of_real_vllm_are_caught(name: str, verdict: str, worse: tuple[str, ...], lost: int) -> None:
    """Recorded by tests/e2e/test_paired_gate.py: level 1, one server, the fault in front of it."""
    items = part_of(shipped_suite("text"), [1]).items
    found = compared(recorded("level-1-baseline", items), recorded(f"level-1-{name}", items))
    assert not found.passed
    assert (found.verdict, tuple(part.category for part in found.worse_parts), len(found.lost)) == (
        verdict,
        worse,
        lost,
    )


def wrong_template(each: Answered, random: Random) -> str:
    return f"[/INST] {each.answer} [INST] I am" if random.random() < 0.8 else each.answer


def truncated_context(each: Answered, random: Random) -> str:
    """The beginning of long prompts is lost."""
    return "I do not see any text." if len(each.item.prompt) > 250 else each.answer


def another_seed(each: Answered, random: Random) -> str:
    """Equally many right answers in each category, but to other questions; wrong answers change."""
    return each.item.check.expected if random.random() < 0.34 else f"maybe {random.randint(100, 999)}"


def noisy_weights(each: Answered, random: Random) -> str:
    """Four bits without calibration: a quarter of the answers become wrong."""
    return f"{each.answer[:8]} {random.choice(('the', 'of', 'and'))} the the" if random.random() < 0.25 else each.answer


def swapped_adapter(each: Answered, random: Random) -> str:
    """The same facts in another model's style."""
    return f"Arr, {each.answer}, matey!"


def forced_temperature(each: Answered, random: Random) -> str:
    return (
        f"{random.choice(('Well', 'Hmm', 'Perhaps'))} {random.randint(1, 99)}" if random.random() < 0.4 else each.answer
    )


def lost_stop_string(each: Answered, random: Random) -> str:
    return f"{each.answer} {each.item.stop[0]} and more" if each.item.stop else each.answer


def dropped_system_message(each: Answered, random: Random) -> str:
    return "I am an assistant." if each.item.system else each.answer


def half_empty(each: Answered, random: Random) -> str:
    return "" if random.random() < 0.5 else each.answer


@pytest.mark.parametrize(
    "fault",
    [
        wrong_template,
        truncated_context,
        another_seed,
        noisy_weights,
        swapped_adapter,
        forced_temperature,
        lost_stop_string,
        dropped_system_message,
        half_empty,
    ],
)
def test_a_broken_endpoint_is_caught_with_the_items_that_show_it(baseline: tuple[Answered, ...], fault: Fault) -> None:
    for seed in range(BROKEN_RUNS):
        broken = compared(baseline, run(baseline, fault, seed))
        assert not broken.passed
        assert broken.changed


def test_ignored_pictures_are_caught() -> None:
    """A model with vision: right on half of the questions; without the picture it gives the same answer every time."""
    items = part_of(shipped_suite("image"), [1, 2]).items
    random = Random(1)
    seen = tuple(answered(item, item.check.expected if random.random() < 0.5 else "a cat") for item in items)
    blind = tuple(answered(item, "3" if item.check.kind == "number" else "circle") for item in items)
    found = compared(seen, blind, commit="b" * 40)
    assert (found.verdict, found.passed) == ("worse", False)


@pytest.mark.parametrize(
    ("fault", "worse", "changed"),
    [
        (lost_stop_string, ("stopping",), ("stopping",)),
        (dropped_system_message, ("system",), ("system",)),
    ],
)
def test_a_fault_of_one_kind_of_question_shows_in_its_category(
    baseline: tuple[Answered, ...], fault: Fault, worse: tuple[str, ...], changed: tuple[str, ...]
) -> None:
    found = compared(baseline, run(baseline, fault))
    assert tuple(part.category for part in found.changed_parts) == changed
    assert {part.category for part in found.worse_parts} <= set(worse)


def test_another_model_of_the_same_quality_is_not_gated_by_its_words(baseline: tuple[Answered, ...]) -> None:
    """Another commit may change its answers, if equally many are right."""
    other = run(baseline, lambda each, random: each.answer if each.right else "otherwise wrong")
    found = compared(baseline, other, commit="b" * 40)
    assert (found.passed, found.same_model, len(found.changed) > 100) == (True, False, True)
    assert not compared(baseline, other).passed


def test_a_model_that_thinks_first_is_gated_by_right_and_wrong_alone(baseline: tuple[Answered, ...]) -> None:
    thinking = [replace(each, reply=replace(each.reply, reasoning="Hm.")) for each in run(baseline, swapped_adapter)]
    assert not compared(baseline, thinking).same_model


def test_only_questions_of_both_runs_are_compared(baseline: tuple[Answered, ...]) -> None:
    changed = baseline[0].item.model_copy(update={"prompt": "Another question?"})
    found = compared(baseline, (answered(changed, "x"), *baseline[1:40]))
    assert found.items == 39
    assert compare(as_baseline(baseline[:5], COMMIT), baseline[5:], COMMIT, Terms()) is None


def test_questions_that_the_baseline_has_no_answer_to_are_left_out(baseline: tuple[Answered, ...]) -> None:
    """A baseline whose endpoint failed is not a measure: any candidate would be better."""
    failed = tuple(
        replace(each, right=False, reply=replace(each.reply, error="HTTP 503: busy")) if number % 2 else each
        for number, each in enumerate(baseline)
    )
    found = compared(failed, baseline)
    assert (found.items, found.left_out, found.gained) == (180, 180, ())
    # A candidate that fails has lost the answer.
    assert len(compared(baseline, failed).lost) == sum(each.right for each in baseline[1::2])
    assert compare(as_baseline(failed[1::2], COMMIT), baseline[1::2], COMMIT, Terms()) is None


def test_questions_on_a_single_text_do_not_pass_as_many() -> None:
    items = [each.item.model_copy(update={"cluster": "one-text"}) for each in many(300, 0).answers]
    same = [answered(each, f"n{number}") for number, each in enumerate(items)]
    assert compared(same, same).verdict == "undecided"
