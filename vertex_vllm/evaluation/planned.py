"""The evaluation of a config before anything is rented: whether its suite is valid, and which drop it can detect."""

from vertex_vllm.config.deployment import Deployment
from vertex_vllm.evaluation.comparison import Terms
from vertex_vllm.evaluation.evaluated_run import Order, suite_of
from vertex_vllm.evaluation.limits import Limits
from vertex_vllm.evaluation.statistics.power import Power, power_of
from vertex_vllm.evaluation.suite_reach import stated_reach


def order_of(deployment: Deployment) -> Order:
    """The evaluation that a config asks for."""
    asked = deployment.evaluation
    return Order(
        suite=asked.suite,
        items=asked.items,
        levels=tuple(asked.levels),
        baseline=asked.baseline,
        concurrency=asked.concurrency,
        terms=Terms(asked.allowed_regression, asked.allowed_changed_answers, asked.confidence),
        limits=Limits(asked.max_requests, asked.max_tokens, asked.max_minutes, asked.max_usd),
    )


def reach_of(order: Order, project: str = "") -> Power:
    """The power of the order's suite. Raises InputError and ConfigError for a suite that cannot be asked."""
    suite = suite_of(order, project)
    return power_of(len(suite.items), suite.clusters, order.terms.allowed_regression, order.terms.confidence)


def stated(order: Order, project: str = "") -> str:
    """Suite, number of questions, and the drop that it sees, on a line. Raises as `reach_of`."""
    return stated_reach(
        order.suite,
        order.levels,
        order.items,
        baseline=order.baseline,
        allowed_regression=order.terms.allowed_regression,
        confidence=order.terms.confidence,
        project=project,
    )
