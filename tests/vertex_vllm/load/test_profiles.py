"""Profiles and traces, and the requests that they produce."""

import itertools
from pathlib import Path

import pytest
from google.cloud.storage import Client

from vertex_vllm.catalog.load_lengths import Fixed, Uniform
from vertex_vllm.catalog.load_profiles import Lengths, Profile, named_profile, profile_names
from vertex_vllm.errors import InputError
from vertex_vllm.load.due_requests import ClosedLoop, Due, OpenLoop, Recorded, schedule
from vertex_vllm.load.traces import Trace, open_trace, parse_trace

MOONCAKE = """\
{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}

{"timestamp": 30535, "input_length": 6472, "output_length": 26}
"""
AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
"""


def test_every_named_profile_is_read() -> None:
    assert {name: named_profile(name).name for name in profile_names()} == {name: name for name in profile_names()}
    assert named_profile("short") == Profile("short", Fixed(32), Fixed(64))
    assert named_profile("short", answer_tokens="uniform(1, 2)").answer == Uniform(1, 2)


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"Choose short, conversation, coding, or a trace"):
        named_profile("chat")


def test_the_lengths_of_a_seed_are_always_the_same() -> None:
    profile = named_profile("conversation")
    assert profile.draw(100, 7) == profile.draw(100, 7) != profile.draw(100, 8)


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        (MOONCAKE, Trace("t", (Lengths(6955, 52), Lengths(6472, 26)), (0.0, 3.053))),
        ('{"input_length": 5, "output_length": 2}', Trace("t", (Lengths(5, 2),), ())),
        (AZURE, Trace("t", (Lengths(374, 44), Lengths(396, 109)), (0.0, 4.314579))),
    ],
    ids=["mooncake", "without times", "azure"],
)
def test_a_trace_is_read(text: str, trace: Trace) -> None:
    read = parse_trace(text, "t", "t.jsonl")
    assert (read.lengths, read.seconds) == (trace.lengths, pytest.approx(trace.seconds, abs=1e-6))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no request"),
        ('{"input_length": 5}', r"t\.jsonl:1: .*output_length"),
        ('{"input_length": 5, "output_length": 2}\n{"input_length": "many"', r"t\.jsonl:2: "),
        ('{"input_length": 5, "output_length": 0}', "below 1 token"),
        (AZURE.replace("50.99", "40.99"), "ascend"),
        (MOONCAKE + '{"input_length": 5, "output_length": 2}', "on every row"),
        ("a,b\n1,2\n", r"t\.jsonl:2: "),
        ('{"input_length": ' + "[" * 5000, r"t\.jsonl:1: "),
    ],
)
def test_what_is_not_a_trace_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_trace(text, "t", "t.jsonl")


def test_a_trace_comes_from_a_file_or_from_cloud_storage(cloud: object, project: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(MOONCAKE)
    bucket = Client(project=project).create_bucket(f"{project}-traces")
    bucket.blob("a/trace.jsonl").upload_from_string(MOONCAKE)
    assert open_trace(str(file)) == open_trace(f"gs://{bucket.name}/a/trace.jsonl")
    for address, said in {
        str(tmp_path / "none"): "cannot be read",
        f"gs://{bucket.name}/b": "does not exist",
        f"gs://{bucket.name}": "names no object",
    }.items():
        with pytest.raises(InputError, match=said):
            open_trace(address)


def test_a_closed_loop_has_no_moments_and_an_open_one_has_its_rate() -> None:
    profile = named_profile("short")
    assert schedule(ClosedLoop(2), profile, 1, 1, seed=1) == (
        Due(0, 0.0, Lengths(32, 64), warm_up=True),
        Due(1, 0.0, Lengths(32, 64)),
    )
    moments = [due.seconds for due in schedule(OpenLoop(50.0), profile, 5000, 0, seed=3)]
    assert moments == sorted(moments)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.02, rel=0.05)
    # Exponential gaps: their standard deviation is their mean.
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(0.02, rel=0.05)
    assert OpenLoop(4.0, poisson=False).arrivals(3, 1) == (0.0, 0.25, 0.5)


def test_recorded_arrivals_are_sped_up() -> None:
    recorded = Recorded((0.0, 3.0, 6.0), factor=2.0)
    assert (recorded.arrivals(2, 0), recorded.rate) == ((0.0, 1.5), 2 / 3)
    with pytest.raises(InputError, match="has 3 requests, and 4 are needed"):
        recorded.arrivals(4, 0)
