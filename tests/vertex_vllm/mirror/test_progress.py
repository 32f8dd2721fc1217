"""The progress that a watcher gets."""

import json

from vertex_vllm.mirror import FileProgress, Progress, ProgressLog
from vertex_vllm.mirror.progress import Meter


def test_progress_counts_each_file_and_all() -> None:
    seen: list[Progress] = []
    meter = Meter("org/model", {"here": 5, "new": 7}, seen.append)
    meter.found("here", 5)
    meter.file("new").present(3)
    meter.file("new").copied(4)
    meter.file("new").retried()
    meter.done("new")
    counted = [(one.files_done, one.bytes_present, one.bytes_copied, one.retries, one.finished) for one in seen]
    assert counted == [
        (1, 5, 0, 0, False),
        (1, 8, 0, 0, False),
        (1, 8, 4, 0, False),
        (1, 8, 4, 1, False),
        (2, 8, 4, 1, True),
    ]
    assert seen[-1].files == {
        "here": FileProgress(5, present=5, done=True),
        "new": FileProgress(7, present=3, copied=4, retries=1, done=True),
    }
    assert {one.bytes_total for one in seen} == {12}


def moment(copied: int, seconds: float = 4.0) -> Progress:
    files = {"a": FileProgress(20, copied=min(copied, 20), done=copied >= 20), "b": FileProgress(20, present=10)}
    if copied > 20:
        files["b"] = FileProgress(20, present=10, copied=10, retries=2, done=True)
    return Progress("org/model", files, seconds)


def test_what_is_left_is_reckoned_from_the_rate_so_far() -> None:
    assert [moment(0).seconds_left, moment(10).seconds_left, moment(30).seconds_left] == [None, 8.0, 0.0]


def test_a_log_gets_a_line_every_few_seconds_and_the_last() -> None:
    lines: list[str] = []
    clock = iter([0.0, 1.0, 2.0, 6.0, 7.0])
    log = ProgressLog(lines.append, seconds=5.0, clock=lambda: next(clock))
    for copied in (0, 5, 10, 30):
        log(moment(copied))
    told = [json.loads(line) for line in lines]
    assert [row["bytes_copied"] for row in told] == [0, 10, 30]
    assert told[1]["under_way"] == {
        "a": {"size": 20, "present": 0, "copied": 10, "retries": 0, "done": False},
        "b": {"size": 20, "present": 10, "copied": 0, "retries": 0, "done": False},
    }
    figures = {
        "model_id": "org/model",
        "files_total": 2,
        "files_done": 2,
        "bytes_total": 40,
        "bytes_present": 10,
        "bytes_copied": 30,
        "retries": 2,
        "seconds": 4.0,
        "megabytes_per_second": 0.0,
    }
    assert told[-1] == {"event": "mirror", **figures, "seconds_left": 0.0, "under_way": {}}
    assert log.figures == figures
