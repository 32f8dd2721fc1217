"""Weights in use are found in every spelling in which a Model or a run names them."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from vertex_vllm.lifecycle.mentions import Mentions, texts_of
from vertex_vllm.lifecycle.weights_in_use import BusyRun, InUse

BUCKET = "weights"
PATH = "models/meta-llama/Llama-3.1-8B/0123456789abcdef0123456789abcdef01234567"
URI = f"gs://{BUCKET}/{PATH}"

NAMED: dict[str, list[str]] = {
    "--model=": [f"--model={URI}"],
    "--model and its value": ["--model", URI],
    "one text": [f"--model {URI} --port 8080"],
    "vllm serve": ["vllm", "serve", URI],
    "a shell's line": ["bash", "-c", f"exec vllm serve '{URI}' --tokenizer=x"],
    "a tokenizer": [f"--tokenizer={URI}"],
    "a tokenizer's value": ["--tokenizer", f"{URI}/"],
    "a variable": [f"{URI}"],
    "slashes at the end": [f"{URI}//"],
    "slashes in between": [f"gs://{BUCKET}//{PATH.replace('/', '//')}"],
    "a file of it": [f"{URI}/config.json"],
    "a LoRA module": ["--lora-modules", f"sql={URI}", "other=gs://elsewhere/x"],
    "LoRA modules in a list": [f"sql={URI},other=gs://elsewhere/x"],
    "JSON": [json.dumps({"name": "sql", "path": URI})],
    "JSON in JSON": [json.dumps({"args": json.dumps({"path": URI})})],
    "JSON with escaped slashes": [json.dumps({"path": URI}).replace("/", "\\/")],
    "JSON with escaped letters": ['{"path": "gs:\\u002f\\u002fweights\\u002f' + PATH + '"}'],
    "percent-encoded": [f"gs://{BUCKET}/{quote(PATH, safe='')}"],
    "percent-encoded twice": [quote(quote(URI, safe=""), safe="")],
    "over HTTPS": [f"https://storage.googleapis.com/{BUCKET}/{PATH}"],
    "over HTTPS by cookie": [f"https://storage.cloud.google.com/{BUCKET}/{PATH}/config.json?x=1"],
    "a bucket's host": [f"https://{BUCKET}.storage.googleapis.com/{PATH}"],
    "the JSON API": [
        f"https://storage.googleapis.com/storage/v1/b/{BUCKET}/o/{quote(PATH, safe='')}%2Fconfig.json?alt=media"
    ],
    "a download": [f"https://storage.googleapis.com/download/storage/v1/b/{BUCKET}/o/{quote(PATH, safe='')}"],
    "the console": [f"https://console.cloud.google.com/storage/browser/{BUCKET}/{PATH}"],
    "mounted": [f"/gcs/{BUCKET}/{PATH}"],
    "mounted elsewhere": [f"--model=/mnt/models/{BUCKET}/{PATH}"],
    "the model's folder": [f"gs://{BUCKET}/models/meta-llama/Llama-3.1-8B"],
    "all models": [f"gs://{BUCKET}/models/*"],
    "the whole bucket": [f"gs://{BUCKET}/"],
    "the bucket alone": [f"gs://{BUCKET}"],
    "bucket and path apart": [f"BUCKET={BUCKET}", f"PREFIX={PATH}"],
    "in a sentence": [f"Serves {URI}."],
    "in brackets": [f"weights ({URI}), see there"],
    "an upper-case scheme": [f"GS://{BUCKET}/models/meta-llama"],
    "gcsfs": [f"gcs://{BUCKET}/models/meta-llama"],
    "an upper-case host with a port": [f"HTTPS://STORAGE.GOOGLEAPIS.COM:443/{BUCKET}/models"],
    "a region's host": [f"https://storage.us-central1.rep.googleapis.com/{BUCKET}/models"],
    "a host of Private Service Connect": [f"https://storage-xyz.p.googleapis.com/{BUCKET}/models"],
    "an older host": [f"https://commondatastorage.googleapis.com/{BUCKET}/models"],
    "a bucket's host for downloads": [f"https://{BUCKET}.storage-download.googleapis.com/models"],
    "a resource name": [f"//storage.googleapis.com/projects/_/buckets/{BUCKET}/objects/models"],
    "dots": [f"gs://{BUCKET}/models/other/../meta-llama/./Llama-3.1-8B/{PATH[-40:]}"],
    "a variable inside": [f"gs://{BUCKET}/$PREFIX", f"gs://{BUCKET}/models/%MODEL%/x"],
    "HTML": [f"gs:&#47;&#47;{BUCKET}&#47;models"],
    "hexadecimal escapes": [f"gs:\\x2f\\x2f{BUCKET}\\x2fmodels"],
    "bucket, model and commit apart": [f"BUCKET={BUCKET}", "MODEL=meta-llama/Llama-3.1-8B", f"COMMIT={PATH[-40:]}"],
}
UNNAMED: dict[str, list[str]] = {
    "nothing": [],
    "another commit": [f"--model=gs://{BUCKET}/models/meta-llama/Llama-3.1-8B/{'f' * 40}"],
    "a longer name": [f"--model={URI}-2", f"--model={URI}2", f"--model={URI}.bak"],
    "another bucket": [f"gs://other/{PATH}", f"/gcs/other/{PATH}", f"gs://{BUCKET}-eu/{PATH}"],
    "another bucket's host": [f"https://other.storage.googleapis.com/{PATH}"],
    "the Hub's name": ["--model=meta-llama/Llama-3.1-8B"],
    "a bucket like it": [f"gs://my-{BUCKET}"],
    "another bucket at a region's host": [f"https://storage.us-central1.rep.googleapis.com/other/{PATH}"],
    "dots that lead elsewhere": [f"gs://{BUCKET}/models/meta-llama/../google/x"],
    "another commit alone": [f"COMMIT={'f' * 40}", f"DIGEST={PATH[-40:]}{'0' * 24}"],
}


@pytest.mark.parametrize("name", NAMED)
def test_a_mirror_that_is_named(name: str) -> None:
    assert Mentions(NAMED[name]).cover(BUCKET, PATH)


@pytest.mark.parametrize("name", UNNAMED)
def test_a_mirror_that_is_not(name: str) -> None:
    assert not Mentions(UNNAMED[name]).cover(BUCKET, PATH)


def test_a_short_prefix_needs_its_bucket() -> None:
    assert not Mentions(["--served-model-name=x"]).cover(BUCKET, "x")
    assert Mentions([f"gs://{BUCKET}/x"]).cover(BUCKET, "x")


def test_all_texts_of_a_message_are_read() -> None:
    message: dict[str, Any] = {"args": ["a", {"env": [{"name": "n", "value": "v"}]}], "count": 3, "none": None}
    assert texts_of(message) == ["args", "a", "env", "name", "n", "value", "v", "count", "none"]


NOBODY = InUse(Mentions(()))


@pytest.mark.parametrize(
    ("used", "why"),
    [
        (NOBODY, ""),
        (InUse(Mentions([URI])), "a Model or a run names it"),
        (InUse(Mentions(()), (BusyRun(BUCKET, "meta-llama/Llama-3.1-8B"),)), "a run of its model is under way"),
        (InUse(Mentions(()), (BusyRun("", "meta-llama/Llama-3.1-8B"),)), "a run of its model is under way"),
        (InUse(Mentions(()), (BusyRun("other", "meta-llama/Llama-3.1-8B"),)), ""),
        (InUse(Mentions(()), (BusyRun(BUCKET, "meta-llama/Llama-3.1"),)), ""),
        (InUse(Mentions(()), (), locked=True), "a lock of the bucket is fresh"),
    ],
)
def test_why_a_mirror_stays(used: InUse, why: str) -> None:
    assert used.why(BUCKET, PATH) == why
