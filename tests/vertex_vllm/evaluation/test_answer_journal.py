"""A killed evaluation goes on where it was, and its report is the same."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud.storage import Client

from tests.vertex_vllm.evaluation.evaluations import FRANCE, SPAIN, SUM
from vertex_vllm.evaluation.answer_journal import FileJournal, ObjectJournal, Page
from vertex_vllm.evaluation.asking import Reply

ENDPOINT = "projects/p/locations/us-central1/endpoints/1"
REPLY = Reply("Paris.", 0.4, 0.2, 0.4, 3)
KILLS = 20

# Asks the small text suite with a journal; every question that is really asked is a line of `asked`. Its model answers
# by the question alone, as one with greedy decoding does.
PROGRAM = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from vertex_vllm.evaluation.evaluate import Asking, Evaluation, Subject, Thresholds
from vertex_vllm.evaluation.answer_journal import FileJournal
from vertex_vllm.evaluation.limits import Budget, Limits
from vertex_vllm.evaluation.load import Load
from vertex_vllm.evaluation.questioning import ask_items
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.result import to_json
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.inference.chat import ChatChunk

folder, kill_at = Path(sys.argv[1]), int(sys.argv[2])
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
now = "later" if (folder / "journal").exists() else "2026-11-30T12:00:00+00:00"
journal = FileJournal(folder / "journal", "endpoint", now)
answers = ask_items(Model(), True, suite.items, 3, journal, Budget(Limits()))
# The moments of the questions are all that differs, and are drawn in the report.
answers = tuple(replace(each, reply=replace(each.reply, sent_at=0.0)) for each in answers)
subject, load = Subject("endpoint", True), Load()
evaluation = Evaluation(subject, journal.started_at, Thresholds(), Asking(suite), answers, load)
(folder / "result.json").write_text(to_json(evaluation))
(folder / "report.html").write_text(render(evaluation))
"""


def attempt(folder: Path, kill_at: int) -> int:
    return subprocess.run([sys.executable, "-c", PROGRAM, str(folder), str(kill_at)], check=False).returncode


@pytest.mark.slow
def test_killing_at_random_points_and_going_on_gives_the_same_report(tmp_path: Path) -> None:
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
    # A kill loses no more than the answers that were on their way: at most three at once, one of them never asked.
    once = len((whole / "asked").read_text().splitlines())
    assert len((broken / "asked").read_text().splitlines()) <= once + 2 * KILLS


def test_a_reply_is_on_the_disk_before_the_next_question(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = FileJournal(path, ENDPOINT, "12:00")
    journal.add(FRANCE, REPLY)
    assert json.loads(path.read_text().splitlines()[1])["reply"]["text"] == "Paris."
    again = FileJournal(path, ENDPOINT, "13:00")
    assert (again.reply(FRANCE), again.reply(SUM), again.started_at) == (REPLY, None, "12:00")


def test_a_line_cut_short_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = FileJournal(path, ENDPOINT, "12:00")
    journal.add(FRANCE, REPLY)
    journal.add(SUM, REPLY)
    os.truncate(path, path.stat().st_size - 9)
    again = FileJournal(path, ENDPOINT, "13:00")
    assert (again.reply(FRANCE), again.reply(SUM)) == (REPLY, None)


def test_answers_of_another_endpoint_or_to_another_question_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    FileJournal(path, ENDPOINT, "12:00").add(FRANCE, REPLY)
    assert FileJournal(path, ENDPOINT, "13:00").reply(FRANCE.model_copy(update={"prompt": "Otherwise?"})) is None
    assert FileJournal(path, "another", "13:00").reply(FRANCE) is None


@pytest.mark.parametrize(
    "text", ["", "no json\n", "[]\n", '{"endpoint": "e"}\n{"id": 1}\n{"id": "a", "digest": "b", "reply": 3}\n']
)
def test_a_file_that_is_no_journal_is_an_empty_one(text: str) -> None:
    assert Page.read(text, "e", "12:00").replies == {}


def test_a_journal_in_cloud_storage(cloud: object, project: str) -> None:
    bucket = Client(project=project).create_bucket(f"{project}-journal", location="us-central1")
    journal = ObjectJournal(project, bucket.name, "evaluations/demo/runs/r.answers.jsonl", ENDPOINT, "12:00")
    for item in (FRANCE, SUM):
        journal.add(item, REPLY)
    again = ObjectJournal(project, bucket.name, "evaluations/demo/runs/r.answers.jsonl", ENDPOINT, "13:00")
    assert [again.reply(item) for item in (FRANCE, SUM, SPAIN)] == [REPLY, REPLY, None]
    assert again.started_at == "12:00"


def test_a_journal_that_cannot_be_written_does_not_stop_the_questions(
    cloud: object, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    journal = ObjectJournal(project, f"{project}-no-such-bucket", "journal", ENDPOINT, "12:00")
    journal.add(FRANCE, REPLY)
    assert journal.reply(FRANCE) == REPLY
    assert "Answers are not kept for a later attempt" in caplog.text
