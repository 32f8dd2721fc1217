"""Secrets recognised by the name before them, tokens with escaped punctuation, and texts that only look like them."""

import html
import json
import random
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest

from vertex_vllm.redaction import redact, remember

_RANDOM = random.Random(7)


def _chance(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(alphabet, k=length - 1)) + "7"


# With the characters of base64, early in the value too.
_KEY = f"{_chance(5)}/{_chance(17)}+{_chance(16)}"
_VALUE = _chance(40)
NAMED = {
    "AWS's file": (f"aws_secret_access_key = {_KEY}", _KEY),
    "AWS's environment": (f"AWS_SECRET_ACCESS_KEY={_KEY}", _KEY),
    "AWS's session": (f"aws_session_token={_KEY}{_KEY}", _KEY),
    "AWS's answer": (f'{{"SecretAccessKey": "{_KEY}", "Expiration": "2026"}}', _KEY),
    "session in AWS's answer": (f'{{"SessionToken": "{_KEY}"}}', _KEY),
    "GitHub's environment": (f"GITHUB_TOKEN={_VALUE}", _VALUE),
    "an API key": (f"WANDB_API_KEY={_VALUE}", _VALUE),
    "an API key in JSON": (f'{{"apiKey": "{_VALUE}"}}', _VALUE),
    "a secret key": (f"secret_key: {_VALUE}", _VALUE),
    "a token in JSON": (f'{{"token": "{_VALUE}"}}', _VALUE),
    "an option": (f"--hf-token={_VALUE}", _VALUE),
    "a password": (f"passwd={_VALUE[:16]}", _VALUE[:16]),
    "Azure's account": (f"AccountKey={_KEY}==", _KEY),
    "token scheme": (f"Authorization: token {_VALUE}", _VALUE),
    "Negotiate": (f"Authorization: Negotiate {_KEY}==", _KEY),
    "AWS's signature": (f"Authorization: AWS4-HMAC-SHA256 SignedHeaders=host, Signature={_VALUE}", _VALUE),
    "a password with @": (f"https://user:p%40{_VALUE}@host.example/x", _VALUE),
    "an upload": (f"https://storage.googleapis.com/upload/b?uploadType=resumable&upload_id={_VALUE}", _VALUE),
    "NVIDIA": (f"nvapi-{_VALUE}", _VALUE),
    "Stripe": (f"sk_live_{_VALUE}", _VALUE),
    "Databricks": (f"dapi{'0f' * 16}", "0f" * 16),
    "HMAC key": (f"GOOG1E{'A1' * 28}", "A1" * 28),
    "Hub": (f"hf_{_VALUE}", _VALUE),
    "Hub organisation": (f"api_org_{_VALUE}", _VALUE),
    "Hub OAuth": (f"hf_oauth_{_VALUE}", _VALUE),
    "metadata server": (f"ya29.c.{_VALUE}", _VALUE),
    "GitHub fine-grained": (f"github_pat_{_VALUE[:22]}_{_VALUE}", _VALUE[:22]),
    "client secret": (f"GOCSPX-{_VALUE[:28]}", _VALUE[:28]),
    "JWT": (f"eyJ{_VALUE}.eyJ{_VALUE}.{_VALUE}", _VALUE),
    "private key": (f"-----BEGIN PRIVATE KEY-----\n{_KEY}\n-----END PRIVATE KEY-----", _KEY),
    "token of the metadata server": (f'{{"access_token":"{_VALUE}","expires_in":3599}}', _VALUE),
    "signed URL": (f"https://storage.googleapis.com/b/o?X-Goog-Date=1&X-Goog-Signature={_VALUE}", _VALUE),
}


def _all_but_letters(form: str) -> Callable[[str], str]:
    return lambda text: "".join(one if one.isalnum() else form.format(ord(one)) for one in text)


ESCAPINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON three times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in an address": lambda text: quote(json.dumps(text), safe=""),
    "percent": lambda text: quote(text, safe=""),
    "JSON with every joint escaped": _all_but_letters("\\u{:04x}"),
    "HTML with every joint escaped": _all_but_letters("&#x{:x};"),
    "Python's bytes": lambda text: repr(text.encode()),
    "JSON with slashes escaped": lambda text: text.replace("/", "\\/"),
    "in a sentence": lambda text: f"refused ({text}).",
}


@pytest.mark.parametrize("escape", ESCAPINGS.values(), ids=ESCAPINGS)
@pytest.mark.parametrize("name", NAMED)
def test_nothing_of_it_is_left(name: str, escape: Callable[[str], str]) -> None:
    text, secret = NAMED[name]
    shown = redact(escape(text))
    longest = max(secret.replace("/", "+").split("+"), key=len)
    assert longest not in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "spell",
    [
        lambda secret: "".join(f"\\u{ord(one):04x}" for one in secret),
        lambda secret: "".join(f"\\x{ord(one):02x}" for one in secret),
        lambda secret: "".join(f"\\{ord(one):o}" for one in secret),
        lambda secret: "".join(f"%{ord(one):02X}" for one in secret),
        lambda secret: "".join(f"&#{ord(one)};" for one in secret),
        lambda secret: "".join(f"&#x{ord(one):X};" for one in secret),
        lambda secret: secret.encode().hex(":"),
        lambda secret: secret.encode().hex(" ").upper(),
    ],
    ids=["JSON", "Python", "octal", "percent", "HTML", "HTML in hex", "hex with colons", "hex with blanks"],
)
def test_a_known_secret_is_found_with_every_character_escaped(spell: Callable[[str], str]) -> None:
    secret = 'Correct&horse/"battery'
    remember(secret)
    assert redact(f"a {spell(secret)} b") == "a [redacted] b"


@pytest.mark.parametrize(
    "text",
    [
        "hf_token_secret: projects/team-1/secrets/hf-token/versions/12",
        '{"time_to_first_token": 0.012918900003314090, "per_token": -1.2918900003314092e-05, "next": 1}',
        "seconds_a_token=0.01291890000331409012\n",
        "--hf-token-secret, default: hf-token, the secret that gated models need 2026",
        "          validate-hf-token:\n            cachingOptions: {}",
        "token = hub_token(secret_version_name(secret, project_1))",
        "the Hub token, projects/P/secrets/S/versions/V1; empty: anonymous.",
        '{"nextPageToken": "choKGEIWc3Bhbm5lci5nb29nbGVhcGlzLmNvbQ=="}',
        "page_token=Cg9ibG9iLWZvci1saXN0LTE9",
        '{"eos_token": "<|end_of_text|>", "pad_token": "<|finetune_right_pad_id_0123456789|>"}',
        "max_tokens: 4096, inter_token_latency=0.0123456789",
        "image_token_index: 128256",
        "api-key: Secret Manager",
        "Authorization: $(gcloud auth print-access-token)",
        "http://127.0.0.1:8080/path",
    ],
)
def test_texts_that_look_alike_stay(text: str) -> None:
    assert redact(text) == text
