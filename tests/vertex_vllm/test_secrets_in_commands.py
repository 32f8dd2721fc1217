"""Secrets in commands, files of credentials, variables and lists of arguments, in every escaping; and other texts."""

import base64
import html
import json
import random
import shlex
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vertex_vllm.test_secrets_everywhere import ESCAPINGS as FEW_ESCAPINGS
from tests.vertex_vllm.test_secrets_everywhere import left_of
from vertex_vllm.catalog import Missing, load_catalog
from vertex_vllm.config import load_deployment
from vertex_vllm.planning.plan_page import plan_page
from vertex_vllm.planning.planner import plan_serving
from vertex_vllm.planning.render import render_plan
from vertex_vllm.redaction import redact

ROOT = Path(__file__).resolve().parents[2]
_RANDOM = random.Random(7)


def chance(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(alphabet, k=length))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _all_but_letters(form: str) -> Callable[[str], str]:
    return lambda text: "".join(one if one.isalnum() else form.format(ord(one)) for one in text)


V, WORD, HEX = chance(40), f"{chance(10)}7{chance(9)}", chance(40, "0123456789abcdef")
KEY = base64.b64encode(_RANDOM.randbytes(66)).decode()
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJ{chance(60)}.{chance(80)}"
LINES = "".join(f"{chance(64)}\n" for _ in range(3))
PEM = f"-----BEGIN PRIVATE KEY-----\n{LINES}-----END PRIVATE KEY-----\n"
ACCOUNT_KEY = encoded(json.dumps({"type": "service_account", "private_key_id": HEX, "private_key": PEM}))
SLACK = f"T{chance(9, string.ascii_uppercase)}/B{chance(9, string.ascii_uppercase)}/{V[:24]}"
# Name → text that holds a secret, and the part of it that is secret.
SECRETS: dict[str, tuple[str, str]] = {
    "curl -u": (f"curl -u user:{WORD} https://x.example/v1", WORD),
    "curl -uUSER": (f"curl -uuser:{WORD} https://x.example/v1", WORD),
    "curl --user": (f"curl -s --user user:{WORD} https://x.example", WORD),
    "curl --user=": (f"curl --user=user:{WORD} https://x.example", WORD),
    "curl --user, quoted": (f"curl --user 'user:{WORD}' https://x.example", WORD),
    "curl --proxy-user": (f"curl --proxy-user user:{WORD} https://x.example", WORD),
    "curl -H, Bearer": (f'curl -H "Authorization: Bearer {V}" https://x', V),
    "curl -H, token": (f"curl -H 'authorization: token {WORD}' https://x", WORD),
    "curl -H, Basic": (f'curl --header "Authorization: Basic {encoded("user:" + WORD)}"', encoded("user:" + WORD)),
    "curl -H, PRIVATE-TOKEN": (f'curl -H "PRIVATE-TOKEN: {WORD}"', WORD),
    "X-Api-Key": (f"X-Api-Key: {WORD}", WORD),
    "X-Auth-Token": (f"X-Auth-Token: {WORD}", WORD),
    "X-Goog-IAM-Authorization-Token": (f"X-Goog-IAM-Authorization-Token: {V}", V),
    "X-Vault-Token": (f"X-Vault-Token: hvs.{WORD}", WORD),
    "Azure's api-key": (f"api-key: {HEX[:32]}", HEX[:32]),
    "Azure's subscription key": (f"Ocp-Apim-Subscription-Key: {HEX[:32]}", HEX[:32]),
    ".netrc in one line": (f"machine huggingface.co login user password {WORD}", WORD),
    ".netrc": (f"machine huggingface.co\n  login user\n  password {WORD}\n", WORD),
    ".netrc, default": (f"default login anonymous password {HEX}", HEX),
    "docker login -p": (f"docker login -u user -p {WORD} registry.example", WORD),
    "docker login --password": (f"docker login --username user --password {WORD} registry.example", WORD),
    "docker login --password=": (f"docker login --username user --password={WORD} registry.example", WORD),
    "a pipe into docker login": (f"echo {WORD} | docker login -u user --password-stdin r.example", WORD),
    "docker's config": (
        json.dumps({"auths": {"r.example": {"auth": encoded(f"user:{WORD}")}}}),
        encoded(f"user:{WORD}"),
    ),
    "docker's identity": (json.dumps({"identitytoken": WORD}), WORD),
    "git clone, password": (f"git clone https://user:{WORD}@github.com/o/r.git", WORD),
    "git clone, token": (f"git clone https://{WORD}@github.com/o/r.git", WORD),
    "git clone, Hub": (f"git clone https://user:hf_{V[:34]}@huggingface.co/o/r", V[:34]),
    "git's extra header": (f"http.https://github.com/.extraheader=AUTHORIZATION: basic {KEY[:40]}", KEY[:40]),
    "git's credential": (f"password={WORD}\nusername=x", WORD),
    "gcloud auth print-access-token": (f"ya29.c.{V}-_", V),
    "gcloud's variable": (f"export CLOUDSDK_AUTH_ACCESS_TOKEN={V}", V),
    "application default credentials": (json.dumps({"client_secret": f"d-{WORD}", "type": "authorized_user"}), WORD),
    "AWS's variable": (f"AWS_SECRET_ACCESS_KEY={KEY[:40]}", KEY[:40]),
    "AWS's file": (f"aws_secret_access_key = {V}", V),
    "AWS's session": (f"AWS_SESSION_TOKEN={KEY}", KEY),
    "AWS's answer": (json.dumps({"SecretAccessKey": V, "Expiration": "2026"}), V),
    "Bedrock": (f"ABSK{2 * V}", V),
    "Azure's connection": (f"DefaultEndpointsProtocol=https;AccountName=n;AccountKey={KEY};EndpointSuffix=x", KEY),
    "Azure's shared key": (f"Endpoint=sb://n.example/;SharedAccessKeyName=k;SharedAccessKey={KEY[:43]}=", KEY[:43]),
    "Azure's client": (f"AZURE_CLIENT_SECRET=abc8Q~{V[:34]}", V[:34]),
    "Azure's model": (f"AZURE_OPENAI_API_KEY={HEX[:32]}", HEX[:32]),
    "JWT": (JWT, JWT[24:]),
    "GitHub's OIDC request": (f"ACTIONS_ID_TOKEN_REQUEST_TOKEN={JWT}", JWT[24:]),
    "GitHub's runtime": (f"ACTIONS_RUNTIME_TOKEN={V}", V),
    "GitHub's OIDC address": (f"https://x.example/id?api-version=2.0&token={V}", V),
    "GitLab's job": (f"CI_JOB_TOKEN=glcbt-64_{WORD}", WORD),
    "GitLab's OIDC": (f"CI_JOB_JWT_V2={JWT}", JWT[24:]),
    "Buildkite": (f"BUILDKITE_AGENT_ACCESS_TOKEN={V}", V),
    "PEM": (PEM, LINES[:64]),
    "PEM in one line": (PEM.replace("\n", " "), LINES[:64]),
    "PEM without breaks": (PEM.replace("\n", ""), LINES[:64]),
    "PEM with \\n": (PEM.replace("\n", "\\n"), LINES[:64]),
    "PEM of OpenSSH": (PEM.replace("PRIVATE", "OPENSSH PRIVATE"), LINES[:64]),
    "PEM, cut": (PEM[:100], LINES[:60]),
    "PEM in base64": (encoded(PEM), encoded(PEM)[60:100]),
    "service account's key in base64": (ACCOUNT_KEY, ACCOUNT_KEY[120:]),
    "Hub in base64": (encoded(f"hf_{V[:34]}"), encoded(f"hf_{V[:34]}")),
    "Hub in base64, one byte later": (encoded(f" hf_{V[:34]}"), encoded(f" hf_{V[:34]}")),
    "Hub in base64, two bytes later": (encoded(f":/hf_{V[:34]}"), encoded(f":/hf_{V[:34]}")),
    "Google in base64": (encoded(f"ya29.c.{V}"), encoded(f"ya29.c.{V}")),
    "GitHub in base64": (encoded(f"x-access-token:ghs_{V[:36]}"), encoded(f"x-access-token:ghs_{V[:36]}")),
    "AWS in base64 for addresses": (
        base64.urlsafe_b64encode(f"aws_secret_access_key={V}".encode()).decode(),
        base64.urlsafe_b64encode(f"aws_secret_access_key={V}".encode()).decode(),
    ),
    "base64 in base64": (encoded(encoded(f"hf_{V[:34]}")), encoded(encoded(f"hf_{V[:34]}"))),
    "list: curl -u": (json.dumps(["curl", "-u", f"user:{WORD}", "https://x"]), WORD),
    "list: curl -H": (json.dumps(["curl", "-H", f"Authorization: Bearer {V}"]), V),
    "list: docker login -p": (json.dumps(["docker", "login", "-u", "user", "-p", WORD, "r.example"]), WORD),
    "list: --password": (json.dumps(["docker", "login", "--password", WORD]), WORD),
    "list: --token": (json.dumps(["huggingface-cli", "login", "--token", V]), V),
    "list: git clone": (repr(["git", "clone", f"https://u:{WORD}@h.example/r"]), WORD),
    "list of Python": (repr(["curl", "-u", f"user:{WORD}"]), WORD),
    "variables": (json.dumps([{"name": "HF_TOKEN", "value": V}, {"name": "X", "value": "1"}]), V),
    "variables, value first": (json.dumps([{"value": V, "name": "HF_TOKEN"}]), V),
    "variables in YAML": (f"- name: HF_TOKEN\n  value: {V}", V),
    "header in a list": (json.dumps([["Authorization", f"Bearer {V}"]]), V),
    "header with a list": (json.dumps({"Authorization": [f"Bearer {V}"]}), V),
    "header as an object": (json.dumps({"name": "Authorization", "value": f"Basic {KEY[:40]}"}), KEY[:40]),
    "cookie": (f"Cookie: session={V}; a=b", V),
    "proxy": (f"HTTPS_PROXY=http://user:{WORD}@proxy.example:3128", WORD),
    "database": (f"postgresql+psycopg://user:{WORD}@db.example/x", WORD),
    "wget": (f"wget --http-user=u --http-password={WORD} https://x", WORD),
    "hf auth login": (f"hf auth login --token {V}", V),
    "docker run -e": (f"docker run -e HF_TOKEN={V} image", V),
    "kubectl create secret": (f"kubectl create secret generic s --from-literal=token={WORD}", WORD),
    "PostgreSQL's variable": (f"PGPASSWORD={WORD} psql", WORD),
    "MySQL's variable": (f"MYSQL_PWD={WORD}", WORD),
    "Slack's hook": (f"https://hooks.slack.com/services/{SLACK}", V[:24]),
    "OpenAI": (f"sk-proj-{V}", V),
    "Anthropic": (f"sk-ant-api03-{V}", V),
    "Weights & Biases": (f"WANDB_API_KEY={HEX}", HEX),
    ".npmrc": (f"//registry.example/:_authToken={WORD}", WORD),
    "pip's file": (f"index-url = https://__token__:{WORD}@host.example/simple", WORD),
    "Terraform": (f'token = "{WORD}.atlasv1.{V}"', V),
}

ESCAPINGS: dict[str, Callable[[str], str]] = {
    **FEW_ESCAPINGS,
    "JSON three times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "percent, blanks as +": lambda text: quote(text).replace("%20", "+"),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in an address": lambda text: quote(json.dumps(text), safe=""),
    "JSON with every joint escaped": _all_but_letters("\\u{:04x}"),
    "HTML with every joint escaped": _all_but_letters("&#x{:x};"),
    "Python's bytes": lambda text: repr(text.encode()),
    "JSON with slashes escaped": lambda text: text.replace("/", "\\/"),
    "in a sentence": lambda text: f"refused ({text}).",
    "for a shell": shlex.quote,
    "split over a list": lambda text: json.dumps(text.split(" ")),
}


@pytest.mark.parametrize("escaping", ESCAPINGS)
def test_nothing_of_it_is_left(escaping: str) -> None:
    left = {}
    for name, (text, secret) in SECRETS.items():
        shown = redact(ESCAPINGS[escaping](text))
        assert redact(shown) == shown, name
        if left_of((secret,), shown):
            left[name] = shown
    assert left == {}


# Only figures: any other long value behind such a name is a secret.
FIGURES_OF_TOKENS = ("time_to_first_token", "per_token", "seconds_a_token", "first_token")
METRICS = (
    *("time_to_first_token_p95_seconds", "max_tokens", "inter_token_latency"),
    *("prompt_tokens", "tokens_per_second_p50", "eos_token_id", "tokenizer", "tokenizer_class"),
    *("output_tokens", "max_num_batched_tokens", "key_value_heads", "attention_key", "author", "commit", "digest"),
    *("image", "passwords_checked", "secretary", "user", "name", "value", "signed_by", "policy_version"),
)
_HEX = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
FIGURES = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0129189000033140901, 1e-20, 12345678901234567890]),
)
VALUES = st.one_of(
    FIGURES,
    st.just("meta-llama/Llama-3.1-8B-Instruct"),
    _HEX.map(lambda text: text[:40]),
    _HEX,
    _HEX.map(lambda text: f"us-docker.pkg.dev/p/r/image@sha256:{text}"),
    _HEX.map(lambda text: f"gs://bucket/models/org/name/{text[:40]}/model-00001-of-00002.safetensors"),
)
FORMS: tuple[Callable[[str, object], str], ...] = (
    lambda name, value: json.dumps({name: value, "next": 1}),
    lambda name, value: repr({name: value, "next": 1}),
    lambda name, value: f"{name}: {value}\nnext: 1\n",
    lambda name, value: f"{name}={value} next=1",
    lambda name, value: f"--{name.replace('_', '-')} {value} --next 1",
    lambda name, value: json.dumps([{"name": name, "value": value}]),
    lambda name, value: f"<tr><td>{name}</td><td>{value}</td></tr>",
)


@given(
    st.one_of(
        st.tuples(st.sampled_from(METRICS), VALUES), st.tuples(st.sampled_from(METRICS + FIGURES_OF_TOKENS), FIGURES)
    ),
    st.sampled_from(FORMS),
)
def test_figures_names_and_digests_stay(field: tuple[str, object], form: Callable[[str, object], str]) -> None:
    text = form(*field)
    assert redact(text) == text


def _texts() -> Sequence[Path]:
    logs = (ROOT / "tests" / "vertex_vllm" / "diagnosis" / "samples").glob("*.log")
    return sorted([*logs, *(ROOT / "docs").rglob("*.md"), *(ROOT / "configs").rglob("*.yaml"), ROOT / "README.md"])


@pytest.mark.parametrize("path", _texts(), ids=lambda path: path.name)
def test_logs_of_vllm_and_pages_stay_as_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    assert redact(text) == text


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_plans_stay_as_they_are(path: Path) -> None:
    asked, catalog = load_deployment(path), load_catalog()
    facts = catalog.facts(asked.model.id)
    assert not isinstance(facts, Missing)
    plan = plan_serving(facts, asked, catalog)
    for text in (render_plan(plan), plan.to_json(), plan_page(plan)):
        assert redact(text) == text


def test_a_picture_stays_as_it_is() -> None:
    picture = f"data:image/png;base64,{base64.b64encode(_RANDOM.randbytes(200_000)).decode()}"
    assert redact(picture) == picture
