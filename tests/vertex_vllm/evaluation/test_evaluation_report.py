"""The report, as a browser takes it apart."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.vertex_vllm.evaluation.test_gates import COMPLETIONS, EVALUATION, FRANCE
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.evaluate import Evaluation, Thresholds, judge
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.load import Load

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
    question = replace(FRANCE, id=HOSTILE, category=HOSTILE, question=HOSTILE)
    return replace(
        EVALUATION,
        deployment=HOSTILE,
        answers=(judge(question, Reply(HOSTILE, 0.4, 0.2, 0.4, 3), chat=True),),
        load=Load(1, (Reply("a", 2.0, 1.0, 2.0, 11), Reply("", 0.1, error=HOSTILE)), 2.0),
    )


def test_what_a_model_or_a_server_said_stays_text(hostile: Evaluation) -> None:
    page = Page(render(hostile))
    assert page.count("script") == page.count("img") == 0
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    # Title, heading, question and answer, the load's failure; and what the plots name: id and category.
    assert page.text.count('<script>alert("x")</script>') == 7


@pytest.mark.parametrize("evaluation", [EVALUATION, COMPLETIONS], ids=["chat", "completions"])
def test_the_page_needs_nothing_from_elsewhere(evaluation: Evaluation) -> None:
    page = Page(render(evaluation))
    loaded = [attributes.get(name) for _, attributes in page.elements for name in ("src", "href", "xlink:href")]
    assert all(address.startswith("#") for address in loaded if address)
    assert page.count("link") == 0
    assert "url(http" not in render(evaluation)


def test_every_answer_is_there_with_its_verdict() -> None:
    words = " ".join(Page(render(EVALUATION)).text.split())
    for row in (
        "What is the capital of France? Paris Paris. exact 0.4",
        "What is 2 + 2? 4, four The answer is four. contains 0.6",
        "What is the capital of France? Paris London wrong 0.4",
        "What is 2 + 2? 4, four HTTP 500: died failed 0.1",
    ):
        assert row in words


def test_thresholds_stand_beside_what_was_measured() -> None:
    words = " ".join(Page(render(replace(EVALUATION, thresholds=Thresholds(0.25, 1.0, 0.0)))).text.split())
    assert "exact_match 0.25 ≥ 0.25 passed" in words
    assert "time_to_first_token_p95_seconds 1.95 ≤ 1 failed" in words
    assert "tokens_per_second_p50 15 ≥" not in words


def test_a_model_that_cannot_stream_has_no_plot_of_first_tokens() -> None:
    streamed, whole = Page(render(EVALUATION)), Page(render(COMPLETIONS))
    assert "Time to first token" in streamed.text
    assert "Time to first token" not in whole.text
    assert (streamed.count("svg"), whole.count("svg")) == (5, 3)


def test_the_same_figures_make_the_same_bytes() -> None:
    assert render(EVALUATION) == render(EVALUATION)
