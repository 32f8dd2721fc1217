"""Real vLLM refuses to start, the diagnosis names the cause, and the mended config, weights or cloud start.

Each container is deployed by itself: the mirror and the planner refuse most of this before a machine is rented. A
mended deployment that another test of this process has brought up already, with the same args and weights, is not
brought up again.
"""

import hashlib
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.e2e.provoked import Provoked, edit_json, of_a_smaller_model, truncated, without, write_adapter
from tests.e2e.provoked_site import (
    Site,
    comes_up,
    config,
    first,
    patch_of,
    planned,
    program,
)
from tests.vertex_vllm.served_models import REGION, Vertex, in_vertex
from tests.waiting import wait_until
from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.config_file import parse_deployment
from vertex_vllm.diagnosis.deployed import diagnose_endpoint, diagnose_failure
from vertex_vllm.errors import InferenceError
from vertex_vllm.inference.inference_client import EndpointClient
from vertex_vllm.local.demo_models import build
from vertex_vllm.local.serving_runtime import ensure_runtime
from vertex_vllm.model.facts import ModelFacts

__all__ = ["in_vertex"]

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.parity("local cloud only")]

SHARD = "model-00002-of-00002.safetensors"

PROVOKED = {
    "unknown argument": Provoked("argument_unknown", arguments=("--no-such-flag=1",)),
    "wrong value": Provoked("argument_value", arguments=("--max-num-batched-tokens=many",)),
    "wrong dtype": Provoked("argument_value", arguments=("--dtype=float99",)),
    "chat template file": Provoked("chat_template_file", arguments=("--chat-template=/no/such/template.jinja",)),
    "context over the cache": Provoked("context_over_cache", serving={"max_model_len": 60_000}, length=131_072),
    "unsupported architecture": Provoked(
        "architecture_unsupported", damage=edit_json("config.json", architectures=["NoSuchForCausalLM"]), patched=False
    ),
    "truncated weights": Provoked("weights_truncated", damage=truncated(SHARD), patched=False),
    "swapped shards": Provoked("shape_mismatch", damage=of_a_smaller_model(SHARD), patched=False),
    "missing shard": Provoked("tensors_missing", damage=without(SHARD), patched=False),
    "vocabulary": Provoked("vocabulary_mismatch", damage=edit_json("config.json", vocab_size=50_000), patched=False),
    "missing tokenizer": Provoked(
        "tokenizer_missing", damage=without("tokenizer.json", "tokenizer_config.json"), patched=False
    ),
    "unknown quantisation": Provoked(
        "quantization_unknown",
        damage=edit_json("config.json", quantization_config={"quant_method": "no-such-method"}),
        patched=False,
    ),
}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 100 MB in memory; only root may mount one."""
    folder = Path(tempfile.mkdtemp(prefix="disk-", dir="/tmp"))
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        folder.rmdir()
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The paths of vLLM's sockets below it are short enough for Unix sockets, unlike those below `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def site(cloud: Connection, in_vertex: Vertex, tmp_path: Path) -> Site:
    ensure_runtime()
    model_id = parse_deployment(config(), "config.yaml").model.id
    facts = load_catalog().facts(model_id)
    assert isinstance(facts, ModelFacts)
    prepared = Site(cloud, in_vertex, tmp_path, build.ensure()[model_id], facts)
    storage.Client(project=in_vertex.project).create_bucket(prepared.bucket, location=REGION)
    return prepared


@pytest.mark.parametrize("name", PROVOKED)
def test_a_failed_start_is_named_and_the_mended_one_comes_up(site: Site, name: str) -> None:
    case = PROVOKED[name]
    facts = site.facts
    if case.length:
        facts = replace(facts, shape=replace(facts.shape, context_length=case.length))
    site.grant()
    cause = first(site.refused(planned(facts, case.arguments, **case.serving), site.weights(case.damage, case.length)))
    assert cause.rule == case.rule
    patch = patch_of(cause, facts, config(case.arguments, **case.serving))
    assert (patch is not None) == case.patched
    mended = patch.plan if patch else planned(facts, **case.serving)
    assert mended is not None
    comes_up(site, mended, lambda: site.weights(length=case.length), case.length)


def test_an_adapter_of_a_wider_base_is_named_and_left_out(site: Site) -> None:
    """vLLM serves an adapter of a narrower base; the plan refuses it (`serving/adapter_check.py`)."""
    adapter = write_adapter(site.folder / "adapter", width=2 * site.facts.shape.hidden_size)
    arguments = ("--enable-lora", f"--lora-modules=other={adapter}")
    site.grant()
    cause = first(site.refused(planned(site.facts, arguments), site.weights()))
    assert cause.rule == "adapter_shape"
    patch = patch_of(cause, site.facts, config(arguments))
    assert patch is not None
    assert patch.plan is not None
    comes_up(site, patch.plan, site.weights, 0)


@pytest.mark.parametrize("token", [False, True], ids=["no token", "a token without access"])
def test_a_gated_repository_is_named_and_its_mirror_comes_up(site: Site, token: bool) -> None:
    gated = f"gated-{uuid.uuid4().hex[:8]}/model"
    site.cloud.admin("PUT", "/_local/hub/repos", {"id": gated, "path": str(site.source), "gated": True})
    secret = f"hf_{uuid.uuid4().hex}00"
    user = {"sha256": hashlib.sha256(secret.encode()).hexdigest(), "user": "somebody", "granted": []}
    site.cloud.admin("PUT", "/_local/hub/tokens", user)
    plan = planned(site.facts, (f"--hf-token={secret}",) if token else ())
    found = site.refused(plan, gated)
    assert first(found).rule == ("gated_without_access" if token else "gated_without_token")
    assert secret not in str(found)
    patch = patch_of(first(found), site.facts, config())
    assert (patch.fields if patch else {}) == ({} if token else {"hf_token_secret": "hf-token"})
    site.grant()
    comes_up(site, patch.plan if patch and patch.plan else planned(site.facts), site.weights, 0)


def test_an_account_without_rights_on_the_weights_is_named_and_comes_up_with_them(site: Site) -> None:
    plan, uri = planned(site.facts), site.weights()
    assert first(site.refused(plan, uri)).rule == "storage_forbidden"
    site.grant()
    site.deploy(plan, uri)


def test_a_disk_that_is_too_small_for_the_copy_is_named(site: Site, small_disk: Path) -> None:
    image = f"us-docker.pkg.dev/tests/images/small-disk:{uuid.uuid4().hex}"
    served = f"--image {planned(site.facts).image} --port {{port}} --ready-file {{ready_file}} --"
    container = ["{python}", "-m", "vertex_vllm.local.container", *served.split()]
    program(site.cloud, image, ["/usr/bin/env", f"TMPDIR={small_disk}", *container])
    site.grant()
    plan, uri = replace(planned(site.facts), image=image), site.weights()
    assert first(site.refused(plan, uri)).rule == "disk_full_copy"
    subprocess.run(["mount", "-o", "remount,size=2g", str(small_disk)], check=True)
    site.deploy(plan, uri)


def test_a_health_route_that_the_server_lacks_is_named(site: Site) -> None:
    site.grant()
    uri = site.weights()
    plan = replace(planned(site.facts), health_route="/no/such/route")
    assert first(site.never_ready(plan, uri)).rule == "health_route_unanswered"
    comes_up(site, planned(site.facts), lambda: uri, 0)


@pytest.mark.parametrize(
    ("argument", "rule", "words"),
    [
        ("--port=9999", "port_mismatch", "port 9999, and Vertex AI asks on port 8080"),
        ("--tensor-parallel-size=2", "heads_not_divisible", "cannot be split evenly"),
    ],
    ids=["port", "heads"],
)
def test_an_argument_that_only_an_image_of_ones_own_obeys_is_named_and_left_out(
    site: Site, short_folder: Path, argument: str, rule: str, words: str
) -> None:
    """The program in the place of Model Garden's image sets these two options itself."""
    image = f"us-docker.pkg.dev/tests/images/upstream:{uuid.uuid4().hex}"
    program(
        site.cloud,
        image,
        ["{python}", "-m", "tests.e2e.upstream_server", str(short_folder), "{port}", "--"],
    )
    uri = site.weights()
    site.grant()
    plan = replace(planned(site.facts, (argument,)), image=image, health_route="/health")
    cause = first((site.never_ready if rule == "port_mismatch" else site.refused)(plan, uri))
    assert cause.rule == rule
    assert words in cause.cause
    patch = patch_of(cause, site.facts, config((argument,)))
    assert patch is not None
    assert patch.plan is not None
    site.deploy(replace(patch.plan, image=image, health_route="/health"), uri)


def test_a_container_that_ends_again_and_again_is_named(site: Site) -> None:
    site.grant()
    since = datetime.now(UTC)
    endpoint = site.deploy(planned(site.facts), site.weights())
    for process in psutil.Process(site.cloud.pid).children(recursive=True):
        if "vllm_launcher" in process.cmdline():
            process.kill()
    wait_until(lambda: diagnose_endpoint(endpoint, since).starts > 1, every_seconds=1.0)
    cause = first(diagnose_endpoint(endpoint, since))
    assert cause.rule == "host_out_of_memory"
    patch = patch_of(cause, site.facts, config())
    assert patch is not None
    assert patch.plan is not None
    site.vertex.clear()
    comes_up(site, patch.plan, site.weights, 0)


def test_a_model_without_a_chat_template_is_named_and_chats_with_one(site: Site) -> None:
    site.grant()
    question = [{"role": "user", "content": "What is a car?"}]
    since = datetime.now(UTC)
    endpoint = site.deploy(planned(site.facts), site.weights(without("chat_template.jinja")))
    with pytest.raises(InferenceError) as raised:
        EndpointClient(endpoint).chat(question, max_tokens=4)
    assert first(diagnose_failure(raised.value.message, endpoint, since)).rule == "chat_template_missing"
    site.vertex.clear()
    endpoint = site.deploy(planned(site.facts), site.weights())
    assert EndpointClient(endpoint).chat(question, max_tokens=4).text
