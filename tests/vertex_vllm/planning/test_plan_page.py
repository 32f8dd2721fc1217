"""The plan as a page: every number unfolds, and nothing in it is markup but its own."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from tests.vertex_vllm.planning.planned import LLAMA_8B, LLAMA_VISION, OTHER, measured, plan
from vertex_vllm.planning.plan_page import plan_page
from vertex_vllm.planning.throughput import with_throughput


class Reader(HTMLParser):
    """Tags that are open, text, and the text inside of <details>."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.unfolded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())
        if "details" in self.open:
            self.unfolded.append(data.strip())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page.partition("<!doctype html>")[2])
    assert reader.open == []
    return reader


def test_every_term_of_the_memory_unfolds_to_its_source() -> None:
    decided = plan(LLAMA_VISION, fallbacks=["us-east4/g2-standard-48"])
    reader = read(plan_page(decided))
    assert decided.memory is not None
    for line in (decided.memory.requested, *decided.memory.deducted, decided.memory.cache):
        assert line.name in reader.unfolded
        assert line.source in reader.unfolded
        assert f"{line.amount.likely:.2f}" in reader.text
    for reason in ("machine_type", "image", "args", "max_model_len", "chat", "quota"):
        assert decided.reasons[reason] in reader.unfolded
    shown = " ".join(reader.text)
    for offer in decided.alternatives:
        assert offer.machine_type in shown
    assert "g2-standard-48" in shown
    assert "us-east4" in shown


def test_what_a_repo_or_a_config_says_stays_text() -> None:
    evil = '<script>alert("x")</script>'
    decided = plan(OTHER, extra_args=[f"--served-model-name={evil}"])
    page = plan_page(replace(decided, model_id=evil, reasons={**decided.reasons, "image": evil}))
    assert "<script" not in page
    assert evil in " ".join(read(page).text)


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    page = plan_page(plan(LLAMA_8B.reshaped(missing=("the model's shape",)), region="europe-west4"))
    assert "the model&#39;s shape is not known" in page
    assert re.search(r"<b>unknown</b><span class=\"label\">USD an hour", page)


def test_a_measured_machine_has_its_price_of_tokens_unfolded_and_the_others_say_that_they_have_none() -> None:
    decided = plan(OTHER, fallbacks=["us-central1/a2-highgpu-1g"])
    told = with_throughput(decided, [measured(decided)])
    assert told.throughput is not None
    assert told.throughput.usd_per_million_tokens is not None
    reader = read(plan_page(told))
    assert f"{told.throughput.usd_per_million_tokens:.2f}" in reader.unfolded
    assert told.throughput.conditions in reader.unfolded
    assert reader.text.count("not measured") == len(told.alternatives) + len(told.fallbacks)


def test_the_page_tells_code_doubts_and_tool_calls() -> None:
    pickled = replace(OTHER, pickled=True, doubts=("a field is not known",), chat_template=True)
    text = " ".join(read(plan_page(plan(pickled, pickled_weights="scanned"))).text)
    assert "Code the weights are pickled: a format that can run code" in " ".join(text.split())
    assert "Doubts a field is not known" in " ".join(text.split())
    assert "Tool calls serving.tools: true would read tool calls" in " ".join(text.split())
