"""A mirror with failing services: it succeeds, or names the cause and publishes nothing."""

import json
import logging
import os
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.mirror.conftest import MANIFEST, PART, SHARDS, SMALL_STEPS, SharedModel
from vertex_vllm.errors import HubAccessError, MirrorError, ServiceError, VertexVllmError
from vertex_vllm.hub.access import check_access
from vertex_vllm.mirror import Progress, mirror_weights

# Stalls are noticed within a second, and retries end soon.
TRANSFER = replace(SMALL_STEPS, stall_seconds=1.0, patience_seconds=20.0)
PARTS = {"query": {"partNumber": "*"}, "method": "PUT"}
CONTENT = {"service": "content-network", "method": "GET"}
STORAGE = {"service": "storage"}

# A broken kept connection is opened again without a warning: the server may have closed it long before.
UNCOUNTED = ("reset", "lost_answer", "slow_body")

SURVIVED: dict[str, list[dict[str, Any]]] = {
    "the source resets": [{**CONTENT, "kind": "reset", "times": 3}],
    "the source is silent in the middle of a body": [
        {**CONTENT, "kind": "stall", "after_bytes": 2_000_000, "seconds": 30, "times": 2}
    ],
    "the source cuts bodies short": [{**CONTENT, "kind": "truncate", "after_bytes": 1_500_000, "times": 3}],
    "the source flips a byte": [{**CONTENT, "kind": "flip_byte", "offset": 12_345}],
    "the source sends another range": [{**CONTENT, "kind": "wrong_content_range", "times": 3}],
    "a signed URL has run out": [{**CONTENT, "kind": "error", "status": 403, "times": 3}],
    "the source throttles": [{**CONTENT, "kind": "error", "status": 429, "retry_after_seconds": 1, "times": 4}],
    "the source fails": [{**CONTENT, "kind": "error", "status": status, "times": 2} for status in (500, 503)],
    "the Hub throttles": [
        {"service": "hub", "path": "*/resolve/*", "kind": "error", "status": 429, "retry_after_seconds": 1, "times": 2}
    ],
    "a part is slow": [{**CONTENT, "kind": "slow_body", "bytes_per_second": 3_000_000, "times": 2}],
    "the bucket resets": [{**STORAGE, **PARTS, "kind": "reset", "times": 3}],
    "the bucket throttles": [
        {**STORAGE, **PARTS, "kind": "error", "status": 429, "retry_after_seconds": 1, "times": 3}
    ],
    "the bucket fails": [{**STORAGE, **PARTS, "kind": "error", "status": status, "times": 2} for status in (500, 503)],
    "other bytes arrive than sent": [{**STORAGE, **PARTS, "kind": "flip_sent_byte", "offset": 777_777, "times": 3}],
    "the answer to a part is lost": [{**STORAGE, **PARTS, "kind": "lost_answer", "times": 3}],
    "the answer to Complete is lost": [
        {**STORAGE, "method": "POST", "query": {"uploadId": "*"}, "kind": "lost_answer", "times": 3}
    ],
    "Complete fails": [
        {**STORAGE, "method": "POST", "query": {"uploadId": "*"}, "kind": "error", "status": 503, "times": 3}
    ],
    "an upload cannot be begun at once": [
        {**STORAGE, "method": "POST", "query": {"uploads": "*"}, "kind": "error", "status": 503, "times": 2}
    ],
    "a small file's answer is lost": [
        {**STORAGE, "path": "/upload/*", "method": "POST", "kind": "lost_answer", "times": 2}
    ],
}


def run(model: SharedModel, place: str, project: str) -> list[Progress]:
    seen: list[Progress] = []
    mirror_weights(model.id, model.commit, None, place, project, seen.append, transfer=TRANSFER)
    return seen


@pytest.mark.slow  # All of them together are met below.
@pytest.mark.parametrize("name", SURVIVED)
def test_a_fault_alone_is_got_over(faulty: Any, shared_model: SharedModel, project: str, name: str) -> None:
    for fault in SURVIVED[name]:
        faulty.add_fault(**fault)
    place = shared_model.place()
    seen = run(shared_model, place, project)
    assert all(fault["struck"] for fault in faulty.faults()), "no fault that strikes nothing proves anything"
    shared_model.assert_published(place)
    if all(fault["kind"] not in UNCOUNTED and fault["service"] != "hub" for fault in SURVIVED[name]):
        assert seen[-1].retries > 0


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_all_faults_at_once_are_got_over_or_told(
    faulty: Any, shared_model: SharedModel, project: str, seed: int
) -> None:
    for number, faults in enumerate(SURVIVED.values()):
        for fault in faults:
            once = {key: value for key, value in fault.items() if key != "times"}
            faulty.add_fault(**once, probability=0.1 / len(SURVIVED), seed=100 * seed + number)
    place = shared_model.place()
    told = ""
    try:
        run(shared_model, place, project)
    except VertexVllmError as error:
        told = str(error)
    if told:
        assert shared_model.bucket in told or shared_model.id in told
        assert MANIFEST not in shared_model.objects(place)
    faulty.clear_faults()
    run(shared_model, place, project)
    shared_model.assert_published(place)


FATAL: dict[str, tuple[dict[str, Any], type[VertexVllmError], str]] = {
    "the source always flips a byte": ({**CONTENT, "kind": "flip_byte", "offset": 99}, MirrorError, "SHA-256"),
    "the source is gone": ({**CONTENT, "kind": "error", "status": 404}, ServiceError, "status 404"),
    "the source always fails": ({**CONTENT, "kind": "error", "status": 503}, ServiceError, "status 503 from"),
    "the Hub says no": (
        {"service": "hub", "path": "*/resolve/*.safetensors", "kind": "error", "status": 403},
        HubAccessError,
        "token",
    ),
    "the bucket says no": ({**STORAGE, **PARTS, "kind": "error", "status": 403}, ServiceError, "refused PUT with 403"),
    "other bytes always arrive": (
        {**STORAGE, **PARTS, "kind": "flip_sent_byte", "offset": 99},
        ServiceError,
        "did not take PUT: status 400",
    ),
    "the bucket always fails": ({**STORAGE, **PARTS, "kind": "error", "status": 500}, ServiceError, "status 500"),
}


# A fault of the source and one of the bucket; the others are left to `make test-all`.
FEW = ("the source always flips a byte", "the bucket says no")
REST = [pytest.param(name, marks=pytest.mark.slow) for name in FATAL if name not in FEW]


@pytest.mark.parametrize("name", [*FEW, *REST])
def test_what_stays_is_told_with_its_cause_and_nothing_is_published(
    faulty: Any, shared_model: SharedModel, project: str, name: str
) -> None:
    fault, kind, words = FATAL[name]
    faulty.add_fault(**fault, times=None)
    place = shared_model.place()
    with pytest.raises(kind, match=words):
        mirror_weights(
            shared_model.id,
            shared_model.commit,
            None,
            place,
            project,
            transfer=replace(TRANSFER, patience_seconds=3.0),
        )
    published = shared_model.objects(place)
    assert MANIFEST not in published
    assert all(published[path] == shared_model.files[path] for path in published)
    assert not set(published) & set(SHARDS)
    faulty.clear_faults()
    run(shared_model, place, project)
    shared_model.assert_published(place)


def test_a_flipped_byte_costs_one_part_and_not_the_file(faulty: Any, shared_model: SharedModel, project: str) -> None:
    faulty.add_fault(**CONTENT, headers={"range": f"bytes={PART}-*"}, kind="flip_byte", offset=5)
    place = shared_model.place()
    run(shared_model, place, project)
    shared_model.assert_published(place)
    sent = sorted(part["number"] for path in SHARDS for part in shared_model.sent_parts(place, path))
    assert sent == sorted([1, 2, 3, 4, 5, 6] * len(SHARDS) + [2])


def test_the_token_goes_to_the_hub_alone_and_signed_urls_into_no_log(
    faulty: Any,
    local: Any,
    shards: dict[str, bytes],
    shared_model: SharedModel,
    project: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def network_status() -> dict[str, int]:
        with urllib.request.urlopen(f"{os.environ['HF_ENDPOINT']}/_cdn/status") as answer:
            told: dict[str, int] = json.load(answer)
        return told

    gated_id = local.repo(shards, gated=True)
    token = local.token(gated_id)
    gated = replace(shared_model, id=gated_id, commit=check_access(gated_id, "main", token).commit)
    for kind in ("reset", "truncate", "error"):
        more = {"truncate": {"after_bytes": 1000}, "error": {"status": 403}}.get(kind, {})
        faulty.add_fault(**CONTENT, kind=kind, times=2, **more)
    before = network_status()
    place = gated.place()
    with caplog.at_level(logging.DEBUG):
        mirror_weights(gated.id, gated.commit, token, place, project, transfer=TRANSFER)
    gated.assert_published(place)
    after = network_status()
    assert after["requests"] > before["requests"]
    assert after["requests_with_token"] == before["requests_with_token"] == 0
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err):
        assert token not in text
        assert "Signature" not in text
