"""Evaluations as values, for tests of figures, gates, results and reports."""

from dataclasses import replace

from tests.vertex_vllm.evaluation.recorded_runs import as_baseline
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.comparison import compare
from vertex_vllm.evaluation.evaluate import Asking, Evaluation, Subject, Thresholds
from vertex_vllm.evaluation.load import load_of
from vertex_vllm.evaluation.questioning import Answered, judge
from vertex_vllm.evaluation.suites.checks import Exact
from vertex_vllm.evaluation.suites.item import Item
from vertex_vllm.evaluation.suites.suite import Suite
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.samples import Sample

COMMIT = "a" * 40
TWO = LoadSettings(concurrency=2)


def item(name: str, prompt: str, *accepted: str, category: str = "geography") -> Item:
    return Item(id=name, category=category, prompt=prompt, check=Exact(kind="exact", accepted=list(accepted)))


FRANCE = item("france", "What is the capital of France?", "Paris")
SUM = item("sum", "What is 2 + 2?", "4", "four", category="arithmetic")
SPAIN = item("spain", "What is the capital of Spain?", "Madrid")
PRODUCT = item("product", "What is 2 × 3?", "6", category="arithmetic")
SUITE = Suite("mine", "Apache-2.0", (FRANCE, SUM, SPAIN, PRODUCT))
ANSWERS = (
    judge(FRANCE, Reply("Paris.", 0.4, 0.2, 0.4, 3), chat=True),
    judge(SUM, Reply("The answer is four.", 0.6, 0.2, 0.6, 5), chat=True),
    judge(SPAIN, Reply("London", 0.4, 0.2, 0.4, 2), chat=True),
    judge(PRODUCT, Reply("", 0.1, error="HTTP 500: died"), chat=True),
)
EVALUATION = Evaluation(
    subject=Subject(
        "projects/1/locations/us-central1/endpoints/vllm-demo", True, "demo", "run-2", "org/model", COMMIT, "1.20 USD/h"
    ),
    started_at="2026-11-22T12:00:00+00:00",
    thresholds=Thresholds(),
    asking=Asking(SUITE, no_baseline="No run of demo has been promoted with an evaluation yet: this is the first."),
    answers=ANSWERS,
    load=load_of((Sample(0, 0.0, 0.0, 1.0, 2.0, 2.0, 11), Sample(1, 0.0, 0.0, 2.0, 4.0, 4.0, 41)), TWO),
)
# A model without a chat template: whole answers, nothing counted.
COMPLETIONS = replace(
    EVALUATION,
    subject=replace(EVALUATION.subject, chat=False),
    asking=replace(EVALUATION.asking, suite=replace(SUITE, items=(FRANCE,))),
    answers=(judge(FRANCE, Reply(" Paris\n\nQuestion: and of Peru?", 0.4), chat=False),),
    load=load_of((Sample(0, 0.0, 0.0, ended=2.0), Sample(1, 0.0, 0.0, ended=4.0)), TWO),
)


def against(evaluation: Evaluation, before: tuple[Answered, ...], commit: str = COMMIT) -> Evaluation:
    """The evaluation compared with a baseline that answered `before`."""
    baseline = as_baseline(before, commit)
    asking = replace(evaluation.asking, baseline=baseline, no_baseline="")
    compared = compare(baseline, evaluation.answers, evaluation.subject.commit, asking.terms)
    return replace(evaluation, asking=asking, comparison=compared)


def many(right: int, wrong: int, text: str = "wrong") -> Evaluation:
    """An evaluation of so many right and wrong answers to questions of one kind."""
    items = tuple(item(f"q{number:04}", f"Number {number}?", f"n{number}") for number in range(right + wrong))
    answers = tuple(
        judge(each, Reply(f"n{number}" if number < right else text, 0.4, 0.2, 0.4, 3), chat=True)
        for number, each in enumerate(items)
    )
    asking = replace(EVALUATION.asking, suite=replace(SUITE, items=items))
    return replace(EVALUATION, asking=asking, answers=answers)
