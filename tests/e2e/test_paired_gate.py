"""The paired gate with real vLLM: the same model passes against its own baseline, and a broken deployment of it fails.

RECORD_ANSWERS=FOLDER writes every run's answers there, which tests/vertex_vllm/evaluation/recorded/ is made of.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.demo_project import Served
from tests.vertex_vllm.evaluation.broken_endpoints import BROKEN_TEXT, IgnoredPicture
from tests.vertex_vllm.evaluation.recorded_runs import as_baseline
from vertex_vllm.evaluation.answer_journal import MemoryJournal
from vertex_vllm.evaluation.comparison import Comparison, Terms, compare
from vertex_vllm.evaluation.limits import Budget, Limits
from vertex_vllm.evaluation.questioning import Answered, ask_items
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.evaluation.suites.suite import Suite, part_of
from vertex_vllm.inference.inference_client import EndpointClient

pytestmark = [pytest.mark.parity("local cloud only"), pytest.mark.vllm, pytest.mark.slow]
COMMIT = "0" * 40


def answers_of(client: EndpointClient, suite: Suite, name: str) -> tuple[Answered, ...]:
    answers = ask_items(client, True, suite.items, 4, MemoryJournal("", ""), Budget(Limits()))
    assert len(answers) == len(suite.items)
    if folder := os.environ.get("RECORD_ANSWERS"):
        rows = [{"id": each.item.id, "digest": each.item.digest, "answer": each.answer} for each in answers]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        Path(folder, f"{name}.jsonl").write_text(text, encoding="utf-8")
    return answers


def compared(baseline: Sequence[Answered], candidate: Sequence[Answered]) -> Comparison:
    found = compare(as_baseline(baseline, COMMIT), candidate, COMMIT, Terms())
    assert found is not None
    return found


def told(found: Comparison) -> str:
    return (
        f"{found.verdict}: {found.baseline_share:.3f} -> {found.candidate_share:.3f}, drop at most {found.high:.3f}, "
        f"{len(found.lost)} lost, {len(found.gained)} gained, {len(found.changed)} changed, p {found.p_value:.2g}, "
        f"worse in {[part.category for part in found.worse_parts]}, "
        f"otherwise in {[part.category for part in found.changed_parts]}"
    )


def test_the_text_model(served_text: Served) -> None:
    """Level 1 of the text suite: half of its answers are right."""
    suite = part_of(shipped_suite("text"), [1])
    baseline = answers_of(EndpointClient(served_text.endpoint), suite, "text-baseline")
    verdicts: dict[str, bool] = {}
    for number in range(3):
        again = compared(baseline, answers_of(EndpointClient(served_text.endpoint), suite, f"text-again-{number}"))
        print(f"again {number}: {told(again)}")
        verdicts[f"again {number}"] = again.passed
    for kind in BROKEN_TEXT:
        broken = compared(baseline, answers_of(kind(served_text.endpoint), suite, f"text-{kind.__name__}"))
        print(f"{kind.__name__}: {told(broken)}")
        verdicts[kind.__name__] = broken.passed
        assert broken.passed or broken.lost or broken.changed
    assert verdicts == {
        **{f"again {number}": True for number in range(3)},
        **{kind.__name__: False for kind in BROKEN_TEXT},
    }


def test_the_image_model(served_image: Served) -> None:
    suite = part_of(shipped_suite("image"), [1])
    baseline = answers_of(EndpointClient(served_image.endpoint), suite, "image-baseline")
    again = compared(baseline, answers_of(EndpointClient(served_image.endpoint), suite, "image-again"))
    ignored = compared(baseline, answers_of(IgnoredPicture(served_image.endpoint), suite, "image-ignored"))
    print(f"again: {told(again)}\nignored: {told(ignored)}")
    assert (again.passed, ignored.passed) == (True, False)
