"""The journal of answers: a killed evaluation resumes from it, and its report is that of one that was not killed."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.cloud.storage import Client

from tests.vertex_vllm.evaluation.evaluations import FRANCE, SPAIN, SUM
from vertex_vllm.evaluation.answer_journal import ObjectJournal, Page
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.load_journal import LoadJournal
from vertex_vllm.evaluation.suites.item import Item
from vertex_vllm.load.kept_steps import Step
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.samples import Run, Sample

ENDPOINT = "projects/p/locations/us-central1/endpoints/1"
REPLY = Reply("Paris.", 0.4, 0.2, 0.4, 3)
KILLS = 20

# Asks the small text suite, with a journal in a bucket. Every question that reaches the model is a line of `asked`. The
# model's answer depends on the question alone, as with greedy decoding.
PROGRAM = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from vertex_vllm.evaluation.evaluate import Asking, Evaluation, Subject, Thresholds
from vertex_vllm.evaluation.answer_journal import ObjectJournal
from vertex_vllm.evaluation.limits import Budget, Limits
from vertex_vllm.evaluation.load import Load
from vertex_vllm.evaluation.questioning import ask_items
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.result import to_json
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.inference.chat import ChatChunk

folder, kill_at, project, bucket = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
asked = (folder / "asked").open("a")
count = 0

class Model:
    def stream_chat(self, messages, **options):
        global count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), 9)
        asked.write(f"{options['seed']}\\n")
        asked.flush()
        text = f"answer {options['seed'] % 7}"
        yield ChatChunk(text, "stop", 5, 2, options["seed"] % 10 / 10)

suite = shipped_suite("text-small")
journal = ObjectJournal(project, bucket, f"{folder.name}.jsonl", "endpoint", "2026-11-30T12:00:00+00:00")
answers = ask_items(Model(), True, suite.items, 3, journal, Budget(Limits()))
# The moments of the questions are all that differs, and are drawn in the report.
answers = tuple(replace(each, reply=replace(each.reply, sent_at=0.0)) for each in answers)
subject, load = Subject("endpoint", True), Load()
evaluation = Evaluation(subject, journal.started_at, Thresholds(), Asking(suite), answers, load)
(folder / "result.json").write_text(to_json(evaluation))
(folder / "report.html").write_text(render(evaluation))
"""


@pytest.fixture
def bucket(cloud: object, project: str) -> str:
    return str(Client(project=project).create_bucket(f"{project}-journal", location="us-central1").name)


@pytest.mark.slow
def test_killing_at_random_points_and_going_on_gives_the_same_report(tmp_path: Path, project: str, bucket: str) -> None:
    def attempt(folder: Path, kill_at: int) -> int:
        arguments = [str(folder), str(kill_at), project, bucket]
        return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=False).returncode

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    assert attempt(whole, 0) == 0
    chosen, kills = random.Random(1), 0
    while kills < KILLS and attempt(broken, chosen.randint(1, 4)) == -signal.SIGKILL:
        kills += 1
    assert kills == KILLS
    assert attempt(broken, 0) == 0
    for name in ("result.json", "report.html"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    # A kill loses only the answers under way: at most three, one of which was not sent yet.
    once = len((whole / "asked").read_text().splitlines())
    assert len((broken / "asked").read_text().splitlines()) <= once + 2 * KILLS


def page(*items: Item) -> Page:
    written = Page(ENDPOINT, "12:00")
    for item in items:
        written.put(item, REPLY)
    return written


def test_a_line_cut_short_is_asked_again() -> None:
    again = Page.read(page(FRANCE, SUM).text()[:-9], ENDPOINT, "13:00")
    assert again.replies == page(FRANCE).replies


def test_answers_of_another_endpoint_or_to_another_question_are_not_taken() -> None:
    text = page(FRANCE).text()
    otherwise = FRANCE.model_copy(update={"prompt": "Otherwise?"})
    assert (otherwise.id, otherwise.digest) not in Page.read(text, ENDPOINT, "13:00").replies
    assert Page.read(text, "another", "13:00").replies == {}


@pytest.mark.parametrize(
    "text", ["", "no json\n", "[]\n", '{"endpoint": "e"}\n{"id": 1}\n{"id": "a", "digest": "b", "reply": 3}\n']
)
def test_a_text_that_is_not_a_journal_is_an_empty_one(text: str) -> None:
    assert Page.read(text, "e", "12:00").replies == {}


@pytest.mark.parametrize(
    "changed",
    [
        *({"text": 5}, {"text": None}, {"text": "\ud800"}, {"seconds": "1"}, {"output_tokens": [3]}, {"error": None}),
        {"a_field_of_a_later_version": 1},
    ],
    ids=ascii,
)
def test_a_reply_of_another_form_is_asked_again(changed: dict[str, Any]) -> None:
    page = Page("e", "12:00")
    page.put(FRANCE, REPLY)
    header, row = page.text().splitlines()
    told = json.loads(row)
    damaged = json.dumps({**told, "reply": told["reply"] | changed})
    assert Page.read(f"{header}\n{damaged}\n", "e", "12:00").replies == {}
    assert Page.read(f"{header}\n{damaged}\n{row}\n", "e", "12:00").replies == page.replies


@pytest.mark.parametrize(
    "changed",
    [
        *({"number": 1e999}, {"number": "one"}, {"seconds": None}, {"run": None}),
        {"run": {"samples": [["a"] * 12], "late": [], "cpu": 1.0}},
        {"run": {"samples": [], "late": ["x"], "cpu": 1.0}},
        {"run": {"samples": [[0, 0.0]], "late": [], "cpu": 1.0}},
    ],
    ids=ascii,
)
def test_a_step_of_another_form_is_measured_again(project: str, bucket: str, changed: dict[str, Any]) -> None:
    place, settings = (project, bucket, "evaluations/demo/runs/r.load.jsonl", ENDPOINT), LoadSettings()
    step = Step(2, 0.0, "12:00", 1.0, Run((Sample(0, 0.0, 0.0, 1.0, 2.0, 2.0, 11),), (0.001,), 0.5))
    LoadJournal(*place, settings).keep(step)
    assert LoadJournal(*place, settings).found(2, 0.0) == step
    blob = Client(project=project).bucket(bucket).blob(place[2])
    header, row = blob.download_as_text().splitlines()
    blob.upload_from_string(f"{header}\n{json.dumps(json.loads(row) | changed)}\n")
    assert LoadJournal(*place, settings).found(2, 0.0) is None


def test_a_later_attempt_reads_the_replies_and_the_start_of_the_first(project: str, bucket: str) -> None:
    journal = ObjectJournal(project, bucket, "evaluations/demo/runs/r.answers.jsonl", ENDPOINT, "12:00")
    for item in (FRANCE, SUM):
        journal.add(item, REPLY)
    again = ObjectJournal(project, bucket, "evaluations/demo/runs/r.answers.jsonl", ENDPOINT, "13:00")
    assert [again.reply(item) for item in (FRANCE, SUM, SPAIN)] == [REPLY, REPLY, None]
    assert again.started_at == "12:00"


def test_a_journal_that_cannot_be_written_does_not_stop_the_questions(
    cloud: object, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    journal = ObjectJournal(project, f"{project}-no-such-bucket", "journal", ENDPOINT, "12:00")
    journal.add(FRANCE, REPLY)
    assert journal.reply(FRANCE) == REPLY
    assert "Answers are not kept for a later attempt" in caplog.text
