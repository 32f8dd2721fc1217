"""The statistics of the comparison, checked against scipy and by simulation."""

import math
from collections.abc import Sequence
from functools import cache

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vertex_vllm.evaluation.statistics.paired_bootstrap import paired_difference
from vertex_vllm.evaluation.statistics.paired_interval import (
    PairedCounts,
    drop_at_most,
    drop_interval,
    paired_counts,
)
from vertex_vllm.evaluation.statistics.paired_test import worse_p_value
from vertex_vllm.evaluation.statistics.power import power_of
from vertex_vllm.evaluation.statistics.share_interval import share_at_least, share_interval
from vertex_vllm.evaluation.statistics.student import student_quantile

RUNS = 2000
MANY_RUNS = 10_000  # Simulations that compute equal outcomes once; their own error is 0.2 points.
ONE_POINT = 0.01


@given(st.integers(0, 60), st.integers(0, 60))
def test_without_clusters_the_test_is_mcnemars_exact_one(lost: int, gained: int) -> None:
    expected = stats.binomtest(lost, lost + gained, 0.5, alternative="greater").pvalue if lost + gained else 1.0
    assert worse_p_value([1] * lost + [-1] * gained + [0] * 5) == pytest.approx(expected)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=9))
def test_with_clusters_it_is_the_permutation_test_of_their_signs(losses: list[int]) -> None:
    expected = stats.permutation_test(
        (numpy.array(losses),),
        lambda values, axis: values.sum(axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=numpy.inf,
        vectorized=True,
    )
    assert worse_p_value(losses) == pytest.approx(expected.pvalue)


def test_thousands_of_differing_answers_are_counted_exactly() -> None:
    assert worse_p_value([1] * 1100 + [-1] * 1000) == pytest.approx(stats.binom.sf(1099, 2100, 0.5))


@given(st.integers(1, 300), st.data())
def test_the_interval_of_a_share_is_wilsons_and_its_bound_clopper_and_pearsons(items: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, items))
    result = stats.binomtest(right, items)
    wilson = result.proportion_ci(0.95, "wilson")
    assert share_interval(right, items, 0.95) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    exact = stats.binomtest(right, items, alternative="greater").proportion_ci(0.95, "exact")
    assert share_at_least(right, items, 0.95) == pytest.approx(exact.low, abs=1e-9)


@given(st.integers(1, 400), st.data())
def test_the_ends_of_the_interval_are_drops_that_a_score_test_just_does_not_reject(
    items: int, data: st.DataObject
) -> None:
    """Tango's statistic at both ends, with the shares found by scipy's optimiser rather than by his formula."""
    lost = data.draw(st.integers(0, items))
    gained = data.draw(st.integers(0, items - lost))
    low, high = drop_interval(PairedCounts(items, lost, gained, items), 0.9)
    assert -1 <= low <= (lost - gained) / items <= high <= 1
    if 0.001 < high < 0.999 and lost + gained < items:
        assert -score(items, lost, gained, high) == pytest.approx(stats.norm.ppf(0.95), rel=1e-3)


def score(items: int, lost: int, gained: int, drop: float) -> float:
    """The share of gained answers that is likeliest if the true drop were `drop`."""
    from scipy.optimize import minimize_scalar

    def surprise(share: float) -> float:
        same = 1 - 2 * share - drop
        terms = ((lost, share + drop), (gained, share), (items - lost - gained, same))
        return -sum(count * math.log(max(probability, 1e-300)) for count, probability in terms)

    room = (max(0.0, -drop), (1 - drop) / 2)
    share = float(minimize_scalar(surprise, bounds=room, method="bounded", options={"xatol": 1e-12}).x)
    return (lost - gained - items * drop) / math.sqrt(items * (2 * share + drop * (1 - drop)))


@pytest.mark.parametrize(
    ("items", "lost", "gained"),
    [(600, 0.06, 0.04), (720, 0.01, 0.01), (600, 0.15, 0.10), (720, 0.10, 0.02), (336, 0.15, 0.15)],
)
def test_the_interval_of_the_drop_covers_the_true_one_as_often_as_it_says(
    items: int, lost: float, gained: float
) -> None:
    draws = numpy.random.default_rng(1).multinomial(items, [lost, gained, 1 - lost - gained], MANY_RUNS)
    interval = cache(lambda b, c: drop_interval(PairedCounts(items, b, c, items), 0.95))
    intervals = [interval(int(b), int(c)) for b, c, _ in draws]
    assert covered(intervals, lost - gained) == pytest.approx(0.95, abs=ONE_POINT)


@pytest.mark.slow
def test_it_does_so_with_clusters() -> None:
    """200 texts with three questions each; in six of ten texts all three go the same way."""
    random = numpy.random.default_rng(2)
    intervals = []
    for _ in range(RUNS):
        together = random.random(200) < 0.6
        answers = random.choice([1, -1, 0], p=[0.06, 0.04, 0.9], size=(200, 3))
        answers[together] = answers[together][:, :1]
        flat = answers.ravel()
        counts = paired_counts(list(flat == 1), list(flat == -1), [place // 3 for place in range(600)])
        intervals.append(drop_interval(counts, 0.95))
    assert covered(intervals, 0.02) == pytest.approx(0.95, abs=ONE_POINT)


@pytest.mark.slow
def test_the_bootstrap_of_skewed_figures_covers_the_true_difference_as_often_as_it_says() -> None:
    """Seconds per answer: log-normal, as times are; 400 questions."""
    random = numpy.random.default_rng(3)
    intervals = []
    for run in range(RUNS):
        before = random.lognormal(0, 0.5, 400)
        change = random.lognormal(0, 0.6, 400) - math.exp(0.18)
        found = paired_difference(list(before), list(before + change), 0.95, resamples=400, seed=run)
        intervals.append((found.low, found.high))
    assert covered(intervals, 0.0) == pytest.approx(0.95, abs=ONE_POINT)


def test_the_bootstrap_agrees_with_scipys() -> None:
    random = numpy.random.default_rng(4)
    before, after = random.normal(1, 0.2, 400), random.normal(1.1, 0.2, 400)
    ours = paired_difference(list(before), list(after), 0.95)
    theirs = stats.bootstrap((after - before,), numpy.mean, confidence_level=0.95, rng=5, n_resamples=4000)
    interval = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=0.002)


def test_equal_figures_differ_by_nothing() -> None:
    found = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.95)
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_clusters_that_agree_in_themselves_count_as_clusters() -> None:
    alike = paired_counts([True] * 30 + [False] * 270, [False] * 300, [place // 3 for place in range(300)])
    assert alike.effective_items == pytest.approx(100, rel=0.02)
    apart = paired_counts([True] * 30 + [False] * 270, [False] * 300, [place % 100 for place in range(300)])
    assert apart.effective_items == 300
    assert paired_counts([True] * 9, [True] * 9, [0, 0, 0, 1, 1, 1, 2, 2, 2]).effective_items == 3


def test_questions_on_a_single_text_count_as_a_single_question() -> None:
    """The correlation within clusters cannot be estimated, however many questions there are."""
    on_one = paired_counts([True] * 2 + [False] * 298, [False] * 300, ["text"] * 300)
    assert (on_one.effective_items, on_one.clusters) == (1, 1)
    assert drop_at_most(on_one, 0.95) > 0.5


@pytest.mark.parametrize("clusters", [2, 3, 8, 30])
def test_few_clusters_widen_the_interval_by_students_distribution(clusters: int) -> None:
    found = paired_counts([True] * 6 + [False] * 294, [False] * 300, [place % clusters for place in range(300)])
    z, t = stats.norm.ppf(0.95), stats.t.ppf(0.95, clusters - 1)
    plain = PairedCounts(300, 6, 0, max(found.effective_items * (z / t) ** 2, 1.0))
    assert drop_at_most(found, 0.95) == pytest.approx(drop_at_most(plain, 0.95), rel=1e-6)


@given(st.floats(0.5, 0.9999), st.integers(1, 3000))
def test_students_quantile_is_scipys(probability: float, degrees: int) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(
        stats.t.ppf(probability, degrees), rel=1e-4, abs=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [6, 15])
def test_the_bound_holds_its_level_with_few_clusters(clusters: int) -> None:
    """Ten questions on each text; the texts differ in how much was lost. The bound may cover more, never less."""
    random = numpy.random.default_rng(7)
    covered = 0
    for _ in range(RUNS):
        lost = random.beta(3, 22, clusters)[:, None] > random.random((clusters, 10))
        gained = ~lost & (random.random((clusters, 10)) < 0.05)
        groups = [place // 10 for place in range(clusters * 10)]
        counts = paired_counts(list(lost.ravel()), list(gained.ravel()), groups)
        covered += drop_at_most(counts, 0.95) >= 0.12 - 0.88 * 0.05
    assert covered / RUNS >= 0.95 - ONE_POINT


@pytest.mark.parametrize(
    ("before", "after"),
    [([True], [True]), ([False], [False]), ([True], [False]), ([True] * 300, [False] * 300), ([False] * 9, [True] * 9)],
)
def test_the_ends_of_all_right_all_wrong_and_a_single_question(before: list[bool], after: list[bool]) -> None:
    counts = paired_counts(before, after)
    low, high = drop_interval(counts, 0.9)
    assert -1 <= low <= counts.drop <= high <= 1
    assert high - low > 0 or abs(counts.drop) == 1
    # A single question never proves a loss of at most 5 points, unless its baseline answer was wrong.
    assert len(before) > 1 or high > 0.05


def test_the_power_that_a_plan_states_is_the_power_of_the_gate() -> None:
    """720 questions, of which one in ten differs: both errors of the gate, by simulation."""
    reach = power_of(720, 720, 0.05, 0.95)
    assert (round(reach.visible_drop, 3), reach.too_small, reach.items_needed) == (0.029, False, 248)
    # At the stated number of questions the allowed drop is refused in 95 % of the runs, an equal model passes in 80 %.
    assert refused(248, 0.05, 0.05) == pytest.approx(0.95, abs=0.02)
    assert refused(248, 0.0, 0.05) == pytest.approx(0.20, abs=0.03)


def test_a_suite_too_small_for_the_regression_says_so() -> None:
    assert str(power_of(60, 56, 0.05, 0.95)) == (
        "56 independent questions: a drop of 10.5 points is seen with 80 %. Too few for an allowed regression of "
        "5.0 points: ask at least 248 independent questions, or allow more"
    )
    assert str(power_of(720, 658, 0.05, 0.95)) == "658 independent questions: a drop of 3.1 points is seen with 80 %"
    assert power_of(720, 658, 0.0, 0.95).too_small


def refused(items: int, drop: float, allowed: float) -> float:
    """Share of simulated runs in which the gate refuses a candidate that is worse by `drop`; one in ten differs."""
    shares = [0.05 + drop / 2, 0.05 - drop / 2, 0.9]
    draws = numpy.random.default_rng(6).multinomial(items, shares, RUNS)
    bounds = [drop_at_most(PairedCounts(items, b, c, items), 0.95) for b, c, _ in draws]
    return sum(bound >= allowed for bound in bounds) / RUNS


def covered(intervals: Sequence[tuple[float, float]], true: float) -> float:
    return sum(low <= true <= high for low, high in intervals) / len(intervals)
