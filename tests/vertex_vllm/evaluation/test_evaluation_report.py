"""The report, as an HTML parser reads it."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.vertex_vllm.evaluation.evaluations import COMPLETIONS, EVALUATION, FRANCE, against, many
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.evaluate import Evaluation, Thresholds
from vertex_vllm.evaluation.evaluation_report import duration, render
from vertex_vllm.evaluation.load import Load, load_of
from vertex_vllm.evaluation.questioning import Answered, judge
from vertex_vllm.evaluation.suites.checks import Exact
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.load.samples import Sample

MOST_BYTES = 2_000_000
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> {{ 7*7 }} $\\frac{1}{2}$ </td></table>'


class Page(HTMLParser):
    """Elements with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture
def hostile() -> Evaluation:
    check = Exact(kind="exact", accepted=[HOSTILE])
    question = FRANCE.model_copy(update={"category": HOSTILE, "prompt": HOSTILE, "system": HOSTILE, "check": check})
    answer = judge(question, Reply(HOSTILE, 0.4, 0.2, 0.4, 3), chat=True)
    return replace(
        EVALUATION,
        subject=replace(EVALUATION.subject, deployment=HOSTILE, model_id=HOSTILE),
        answers=(answer,),
        load=load_of((Sample(0, 0.0, 0.0, 1.0, 2.0, 2.0, 11), Sample(1, 0.0, 0.0, ended=0.1, error=HOSTILE))),
    )


def test_text_of_a_model_or_a_server_stays_text(hostile: Evaluation) -> None:
    page = Page(render(hostile))
    assert page.count("script") == page.count("img") == 0
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    # Title, heading, model; system message, question, expected, own answer twice; category twice, the load's failure
    # twice.
    assert page.text.count('<script>alert("x")</script>') == 12


@pytest.mark.parametrize("evaluation", [EVALUATION, COMPLETIONS], ids=["chat", "completions"])
def test_the_page_needs_nothing_from_elsewhere(evaluation: Evaluation) -> None:
    page = Page(render(evaluation))
    loaded = [attributes.get(name) for _, attributes in page.elements for name in ("src", "href", "xlink:href")]
    assert all(address.startswith("#") for address in loaded if address)
    assert page.count("link") == 0
    assert "url(http" not in render(evaluation)


def test_every_answer_can_be_unfolded() -> None:
    words = " ".join(Page(render(EVALUATION)).text.split())
    for row in (
        "right france level 1: Paris. question What is the capital of France? expected Paris (exact) answer Paris.",
        "wrong sum level 1: The answer is four. question What is 2 + 2? expected 4 or four (exact) answer The",
        "wrong spain level 1: London question What is the capital of Spain? expected Madrid (exact) answer London",
        "wrong product level 1 question What is 2 × 3? expected 6 (exact) answer HTTP 500: died seconds 0.1",
    ):
        assert row in words


def test_the_verdict_is_on_top_and_changed_answers_follow_the_easiest_first() -> None:
    words = " ".join(Page(render(against(many(270, 130), many(300, 100).answers))).text.split())
    assert words.index("Worse than the baseline") < words.index("endpoint") < words.index("Gates")
    assert "Lost: 30 wrong q0270 level 1, baseline right: wrong question Number 270? expected n270" in words
    assert "answer wrong baseline n270" in words


def test_a_first_run_says_that_there_was_no_baseline() -> None:
    assert "this is the first." in Page(render(EVALUATION)).text


def test_thresholds_stand_beside_the_measured_figures() -> None:
    words = " ".join(Page(render(replace(EVALUATION, thresholds=Thresholds(0.25, 1.0, 0.0)))).text.split())
    assert "exact_match 0.25 ≥ 0.25 passed" in words
    # Two requests bound no 95th percentile.
    assert "time_to_first_token_p95_seconds not measured ≤ 1 failed" in words
    assert "tokens_per_second_p50 15 ≥" not in words


def test_a_model_that_cannot_stream_has_no_plot_of_first_tokens() -> None:
    streamed, whole = Page(render(EVALUATION)), Page(render(COMPLETIONS))
    assert "Time to first token" in streamed.text
    assert "Time to first token" not in whole.text
    assert (streamed.count("svg"), whole.count("svg")) == (5, 3)


def test_the_same_figures_make_the_same_bytes() -> None:
    assert render(EVALUATION) == render(EVALUATION)


@pytest.mark.slow
def test_all_shipped_questions_with_long_answers_and_pictures_stay_below_two_megabytes() -> None:
    suite = shipped_suite("text-and-image")
    before = tuple(judge(item, Reply("yes " * 400, 0.4), chat=True) for item in suite.items)
    after = tuple(judge(item, Reply("no " * 400, 0.4), chat=True) for item in suite.items)
    page = render(against(replace(EVALUATION, asking=replace(EVALUATION.asking, suite=suite), answers=after), before))
    assert len(page.encode()) < MOST_BYTES
    assert Page(page).count("img") > 100


def test_an_evaluation_of_nothing_is_a_page_too() -> None:
    answers: tuple[Answered, ...] = ()
    stopped = replace(EVALUATION, answers=answers, load=Load(), stopped="the last 10 requests failed")
    assert "Only 0 of 4 questions were asked: the last 10 requests failed." in Page(render(stopped)).text


def test_the_head_of_the_page_names_run_machine_and_image_where_they_are_known() -> None:
    subject = replace(EVALUATION.subject, machine="g2-standard-12, 1 × NVIDIA_L4, in us-central1", image="host/vllm:1")
    rows = Page(render(replace(EVALUATION, subject=subject))).text
    for row in (f"machine{subject.machine}", "imagehost/vllm:1", "runrun-2"):
        assert row in rows
    assert "machineg2" not in Page(render(EVALUATION)).text


def test_figures_have_their_unit_and_no_difference_has_no_sign() -> None:
    same = many(30, 10)
    words = " ".join(Page(render(against(same, same.answers))).text.split())
    assert " 0 pointscandidate against baseline" in words
    assert "-0 points" not in words
    assert "1.5 sto the first token, median" in words


@pytest.mark.parametrize(("seconds", "words"), [(None, "–"), (0.00919, "9.19 ms"), (0.25, "250 ms"), (2.0, "2 s")])
def test_times_below_a_second_are_milliseconds(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
