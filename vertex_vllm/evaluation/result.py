"""The evaluation's result document: JSON with stable names, described by data/result.schema.json."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from vertex_vllm.evaluation.baseline import FORMAT
from vertex_vllm.evaluation.comparison import Comparison
from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of
from vertex_vllm.evaluation.gates import gates_of, verdict_of
from vertex_vllm.evaluation.load import load_document
from vertex_vllm.evaluation.questioning import Answered
from vertex_vllm.evaluation.statistics.paired_interval import paired_counts
from vertex_vllm.evaluation.statistics.share_interval import share_interval

_MOST_PROMPT = 2000


def to_json(evaluation: Evaluation) -> str:
    return json.dumps(document(evaluation), indent=1, ensure_ascii=False) + "\n"


def document(evaluation: Evaluation) -> dict[str, Any]:
    """The result as JSON values. Names stay as they are inside one format; keys may be added."""
    subject, suite, baseline = evaluation.subject, evaluation.asking.suite, evaluation.asking.baseline
    passed, sentence = verdict_of(evaluation)
    return {
        "format": FORMAT,
        "deployment": subject.deployment,
        "endpoint": subject.endpoint,
        "run": subject.run,
        "model": {"id": subject.model_id, "commit": subject.commit},
        "chat": subject.chat,
        "started_at": evaluation.started_at,
        "verdict": {"passed": passed, "sentence": sentence},
        "suite": {
            "name": suite.name,
            "digest": suite.digest,
            "license": suite.license,
            "items": len(suite.items),
            "clusters": suite.clusters,
            "levels": list(suite.levels),
        },
        "quality": quality(evaluation),
        "baseline": None
        if baseline is None
        else {
            "source": baseline.source,
            "run": baseline.run,
            "started_at": baseline.started_at,
            "model": {"id": baseline.model_id, "commit": baseline.commit},
            "suite": {"name": baseline.suite, "digest": baseline.suite_digest},
        },
        "comparison": _comparison(evaluation.comparison) if evaluation.comparison else None,
        "thresholds": asdict(evaluation.thresholds),
        "gates": [{**asdict(gate), "passed": gate.passed} for gate in gates_of(evaluation)],
        "metrics": metrics_of(evaluation),
        "stopped": evaluation.stopped,
        "items": [_item(answered) for answered in evaluation.answers],
        "load": load_document(evaluation.load),
    }


def quality(evaluation: Evaluation) -> dict[str, Any]:
    """Shares of right answers with their two-sided intervals, whole, by category and by level."""
    answers, confidence = evaluation.answers, evaluation.asking.terms.confidence
    return {
        **_share(answers, confidence),
        "confidence": confidence,
        "by_category": _by("category", answers, lambda each: each.item.category, confidence),
        "by_level": _by("level", answers, lambda each: each.item.level, confidence),
    }


def _by(
    name: str, answers: Iterable[Answered], key: Callable[[Answered], Any], confidence: float
) -> list[dict[str, Any]]:
    groups: dict[Any, list[Answered]] = {}
    for answered in answers:
        groups.setdefault(key(answered), []).append(answered)
    return [{name: value, **_share(group, confidence)} for value, group in sorted(groups.items())]


def _share(answers: Iterable[Answered], confidence: float) -> dict[str, Any]:
    """Clusters widen the interval: the design effect is that of the share of right answers."""
    answers = list(answers)
    if not answers:
        return {"right": 0, "items": 0, "share": None, "low": None, "high": None}
    right = [answered.right for answered in answers]
    groups = [answered.item.group for answered in answers]
    # A run compared with one that has nothing right: the "drop" is the share itself, negated.
    effective = paired_counts([False] * len(right), right, groups).items_at((1 - confidence) / 2)
    share = sum(right) / len(right)
    low, high = share_interval(share * effective, effective, confidence)
    return {"right": sum(right), "items": len(right), "share": share, "low": low, "high": high}


def _comparison(compared: Comparison) -> dict[str, Any]:
    return {
        "verdict": compared.verdict,
        "items": compared.items,
        "left_out": compared.left_out,
        "clusters": compared.clusters,
        "baseline_share": compared.baseline_share,
        "candidate_share": compared.candidate_share,
        "drop": compared.drop,
        "drop_low": compared.low,
        "drop_at_most": compared.high,
        "p_value": compared.p_value,
        **asdict(compared.terms),
        "same_model": compared.same_model,
        "changed_answers_at_least": compared.changed_at_least,
        "lost": list(compared.lost),
        "gained": list(compared.gained),
        "changed": list(compared.changed),
        "categories": [{**asdict(part), "drop": part.drop} for part in compared.parts],
        "worse_categories": [part.category for part in compared.worse_parts],
        "changed_categories": [part.category for part in compared.changed_parts],
        "figures": [{"name": figure.name, "unit": figure.unit, **asdict(figure.of)} for figure in compared.figures],
    }


def _item(answered: Answered) -> dict[str, Any]:
    item, reply = answered.item, answered.reply
    return {
        "id": item.id,
        "digest": item.digest,
        "category": item.category,
        "level": item.level,
        "cluster": item.cluster,
        "check": item.check.kind,
        "prompt": item.prompt[:_MOST_PROMPT],
        "expected": item.check.expected,
        "answer": answered.answer,
        "compared": answered.compared,
        "right": answered.right,
        "error": reply.error,
        "thinks": bool(reply.reasoning),
        "sent_at": datetime.fromtimestamp(reply.sent_at, UTC).isoformat() if reply.sent_at else None,
        "seconds": reply.seconds,
        "first_token_seconds": reply.first_token_seconds,
        "output_tokens": reply.output_tokens,
        "input_tokens": reply.input_tokens,
    }
