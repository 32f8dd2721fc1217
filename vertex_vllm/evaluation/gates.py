"""Thresholds as gates: which figure had to be what, and was."""

from dataclasses import dataclass

from vertex_vllm.errors import GateError
from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of


@dataclass(frozen=True)
class Gate:
    figure: str
    """Name of the metric."""
    have: float | None
    """None where it could not be measured."""
    need: float
    at_least: bool
    """False: at most."""

    @property
    def passed(self) -> bool:
        if self.have is None:
            return False
        return self.have >= self.need if self.at_least else self.have <= self.need

    def __str__(self) -> str:
        have = "not measured" if self.have is None else f"{self.have:.4g}"
        return f"{self.figure}: have {have}, need at {'least' if self.at_least else 'most'} {self.need:.4g}"


def gates_of(evaluation: Evaluation) -> tuple[Gate, ...]:
    """One gate a threshold that is set."""
    metrics, thresholds = metrics_of(evaluation), evaluation.thresholds
    asked = (
        ("exact_match", thresholds.min_exact_match, True),
        ("time_to_first_token_p95_seconds", thresholds.max_p95_time_to_first_token_seconds, False),
        ("tokens_per_second_p50", thresholds.min_tokens_per_second, True),
    )
    return tuple(Gate(figure, metrics.get(figure), need, least) for figure, need, least in asked if need)


def failed_gates(evaluation: Evaluation) -> tuple[Gate, ...]:
    return tuple(gate for gate in gates_of(evaluation) if not gate.passed)


def require(evaluation: Evaluation) -> None:
    """Raises GateError naming every gate that failed, with what it has and what it needs."""
    failed = failed_gates(evaluation)
    if failed:
        raise GateError(
            failed,
            where=evaluation.deployment or evaluation.endpoint,
            fix="The report shows each answer and time; change the deployment, or the thresholds in its config.",
        )
