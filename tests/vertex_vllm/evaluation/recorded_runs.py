"""Runs made of recorded answers of real vLLM, and baselines made of runs."""

import json
from collections.abc import Sequence
from pathlib import Path

from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.baseline import Baseline, BaselineItem
from vertex_vllm.evaluation.questioning import Answered, judge
from vertex_vllm.evaluation.suites.item import Item

FOLDER = Path(__file__).parent / "recorded"


def recorded(name: str, items: Sequence[Item]) -> tuple[Answered, ...]:
    """Answers of one recorded run to `items`, judged again. KeyError for an item without a recorded answer."""
    rows = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    known = {(row["id"], row["digest"]): row["answer"] for row in rows}
    return tuple(answered(item, known[item.id, item.digest]) for item in items)


def answered(item: Item, text: str) -> Answered:
    return judge(item, Reply(text, 0.4, 0.2, 0.4, len(text.split())), chat=True)


def as_baseline(answers: Sequence[Answered], commit: str) -> Baseline:
    items = tuple(
        BaselineItem(
            id=each.item.id,
            digest=each.item.digest,
            right=each.right,
            compared=each.compared,
            answer=each.answer,
            error=each.reply.error,
            thinks=False,
            figures={"seconds": each.reply.seconds},
        )
        for each in answers
    )
    return Baseline(
        "gs://b/evaluations/demo/promoted.json", "run-1", "2026-11-30T12:00:00+00:00", "", commit, "", "", items
    )
