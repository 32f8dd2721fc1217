"""32 shapes of secrets × 8 escapings × 6 ways out of a process: no part of any secret is left in the output."""

import html
import io
import json
import logging
import random
import string
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.ci.comment import code
from vertex_vllm.cli.submit_command import assigned
from vertex_vllm.config import parse_deployment
from vertex_vllm.config.validation import validate
from vertex_vllm.errors import ConfigError, InputError
from vertex_vllm.pages import page_environment
from vertex_vllm.redaction import holds_secret, redact, redacting, remember
from vertex_vllm.runs.submission import Submission
from vertex_vllm.steps import write_artifact

_RANDOM = random.Random(18)


def _chance(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(alphabet, k=length))


S = [_chance(44) for _ in range(40)]
CAPITALS = _chance(16, string.ascii_uppercase + string.digits)
PEM = "\n".join(["-----BEGIN {0}PRIVATE KEY-----", S[0], S[1] + "+/", S[2] + "==", "-----END {0}PRIVATE KEY-----", ""])
# Name → text that holds a secret, and the parts of it that are secret.
SHAPES: dict[str, tuple[str, Sequence[str]]] = {
    "Hub": (f"hf_{S[3]}", (S[3],)),
    "Hub organisation": (f"api_org_{S[4]}", (S[4],)),
    "Hub OAuth": (f"hf_oauth__{S[5]}", (S[5],)),
    "Google access, by a user": (f"ya29.a0{S[6]}", (S[6],)),
    "Google access, by the metadata server": (f"ya29.c.{S[7]}-_", (S[7],)),
    "Google access, federated": (f"ya29.d.{S[8]}.{S[9]}", (S[8], S[9])),
    "Google refresh": (f"1//0{S[10]}", (S[10],)),
    "Google authorisation code": (f"4/0{S[11]}", (S[11],)),
    "Google client secret": (f"GOCSPX-{S[12][:28]}", (S[12][:28],)),
    "Google API key": (f"AIza{S[13][:35]}", (S[13][:35],)),
    "GitHub server": (f"ghs_{S[14][:36]}", (S[14][:36],)),
    "GitHub personal": (f"ghp_{S[15][:36]}", (S[15][:36],)),
    "GitHub fine-grained": (f"github_pat_{S[16][:22]}_{S[17]}", (S[16][:22], S[17])),
    "AWS key": (f"AKIA{CAPITALS}", (CAPITALS,)),
    "PyPI": (f"pypi-{S[18]}", (S[18],)),
    "JWT": (f"eyJ{S[19]}.eyJ{S[20]}.{S[21]}", (S[19], S[20], S[21])),
    "private key": (PEM.format(""), tuple(S[:3])),
    "private RSA key": (PEM.format("RSA "), tuple(S[:3])),
    "service account key": (json.dumps({"private_key": PEM.format("")}), tuple(S[:3])),
    "Bearer": (f"Bearer {S[22]}", (S[22],)),
    "Authorization header": (f"Authorization: Bearer {S[23]}", (S[23],)),
    "Authorization in JSON": (json.dumps({"authorization": f"Basic {S[24]}=="}), (S[24],)),
    "access token in JSON": (json.dumps({"access_token": S[25], "expires_in": 3599}), (S[25],)),
    "refresh token in JSON": (json.dumps({"refresh_token": S[26]}), (S[26],)),
    "Xet header": (f"X-Xet-Access-Token: {S[27]}", (S[27],)),
    "cookie": (f"Set-Cookie: token={S[28]}; Path=/; HttpOnly", (S[28],)),
    "signed URL of Cloud Storage, V4": (
        f"https://storage.googleapis.com/b/o?X-Goog-Date=20261130&X-Goog-Credential={S[29]}&X-Goog-Signature={S[30]}",
        (S[29], S[30]),
    ),
    "signed URL of Cloud Storage, V2": (
        f"https://storage.googleapis.com/b/o?GoogleAccessId=me&Expires=1&Signature={S[31]}%2B%3D",
        (S[31],),
    ),
    "signed URL of S3": (f"https://b.s3.amazonaws.com/o?X-Amz-Date=1&X-Amz-Signature={S[32]}&x-id=GetObject", (S[32],)),
    "signed URL of CloudFront": (
        f"https://cdn.example/o?Policy={S[33]}_&Signature={S[34]}~&Key-Pair-Id=K",
        (S[33], S[34]),
    ),
    "signed URL of Azure": (f"https://a.blob.core.windows.net/c/o?sv=2025&sr=b&sig={S[35]}%3D", (S[35],)),
    "address with a password": (f"https://user:{S[36]}@registry.example/simple", (S[36],)),
}


def _html_in_json(text: str) -> str:
    """As Go's encoder and many templates write JSON."""
    return "".join(f"\\u{ord(one):04x}" if one in "&<>='" else one for one in json.dumps(text))


ESCAPINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "HTML": html.escape,
    "HTML, numbers": lambda text: "".join(f"&#{ord(one)};" if one in "&<>\"'=/" else one for one in text),
    "JSON": json.dumps,
    "JSON for HTML": _html_in_json,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
}


def _log(text: str, folder: Path) -> str:
    errors = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", errors)
        with redacting():
            handler = logging.StreamHandler()
            logger = logging.getLogger(f"tests.{__name__}")
            logger.addHandler(handler)
            try:
                logger.warning("the service said %s", text)
            finally:
                logger.removeHandler(handler)
    return errors.getvalue()


def _exception(text: str, folder: Path) -> str:
    errors = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", errors)
        with redacting():
            try:
                raise InputError("no", where=text) from ValueError(text)
            except InputError:
                traceback.print_exc()
    return errors.getvalue()


def _page(text: str, folder: Path) -> str:
    page = page_environment("vertex_vllm.evaluation").from_string("<p title='{{ said }}'>{{ said }}</p>")
    write_artifact(str(folder / "page"), page.render(said=text))
    return (folder / "page").read_text()


def _json(text: str, folder: Path) -> str:
    write_artifact(str(folder / "json"), json.dumps({"said": [text], text: 1}))
    return (folder / "json").read_text()


def _parameter(text: str, folder: Path) -> str:
    """The error for a secret in a parameter, a label or a config's field, which is refused."""
    with pytest.raises(InputError) as parameter:
        assigned("deploy", [f"hf_token_secret={text}"])
    with pytest.raises(InputError) as label:
        Submission("p", "us-central1", folder, "", {}, "", {"owner": text}, "")
    with pytest.raises(InputError) as nested:
        Submission("p", "us-central1", folder, "", {"extra_args": ["--a", text]}, "", {}, "")
    _, faults = validate({"name": "x", "model": {"id": "a/b"}, "serving": {"extra_args": [f"--a={text}"]}})
    assert [fault.path for fault in faults] == [("serving", "extra_args", 0)]
    return f"{parameter.value}{label.value}{nested.value}{faults}"


SINKS: dict[str, Callable[[str, Path], str]] = {
    "log line": _log,
    "exception": _exception,
    "HTML artifact": _page,
    "JSON artifact": _json,
    "comment": lambda text, folder: code(text),
    "parameter": _parameter,
}


def left_of(secrets: Sequence[str], told: str) -> list[str]:
    """The pieces of 12 characters of the secrets that can be read in `told`."""
    return [
        part for secret in secrets for start in range(len(secret) - 11) if (part := secret[start : start + 12]) in told
    ]


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("escaping", ESCAPINGS)
def test_no_shape_in_any_escaping_comes_out(escaping: str, sink: str, tmp_path: Path) -> None:
    assert len(SHAPES) * len(ESCAPINGS) * len(SINKS) == 32 * 8 * 6
    left = {}
    for name, (text, secrets) in SHAPES.items():
        told = SINKS[sink](ESCAPINGS[escaping](f"refused: {text}"), tmp_path)
        if found := left_of(secrets, told):
            left[name] = (found, told)
    assert left == {}


KNOWN = f"s3cr&t<{S[37]}>\"quoted'/\\=?é"
SPELLINGS: dict[str, Callable[[str], str]] = {
    **ESCAPINGS,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64, one byte later": lambda text: b64encode(b"x" + text.encode()).decode(),
    "base64, two bytes later": lambda text: b64encode(b"xy" + text.encode() + b"zz").decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(b"xyz" + text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "broken over lines": lambda text: "\n    ".join(text[start : start + 7] for start in range(0, len(text), 7)),
    "base64 broken over lines": lambda text: "\r\n".join(
        b64encode(text.encode()).decode()[at : at + 20] for at in (0, 20, 40, 60, 80)
    ),
    "JSON of broken lines": lambda text: json.dumps(text[:30] + "\n" + text[30:]),
    "repr": repr,
}


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_known_secret_does_not_come_out_in_any_spelling(spelling: str, sink: str, tmp_path: Path) -> None:
    remember(KNOWN)
    spelt = SPELLINGS[spelling](KNOWN)
    told = SINKS[sink](f"before {spelt} after", tmp_path)
    pieces = tuple(SPELLINGS[spelling](KNOWN)[start : start + 14] for start in range(4, 40, 7))
    assert not [piece for piece in pieces if piece in told]
    assert left_of((S[37],), told) == []


@given(
    before=st.text(),
    after=st.text(),
    shape=st.sampled_from(sorted(SHAPES)),
    escaping=st.sampled_from(sorted(ESCAPINGS)),
)
def test_whatever_is_around_a_secret(before: str, after: str, shape: str, escaping: str) -> None:
    text, secrets = SHAPES[shape]
    told = redact(before + " " + ESCAPINGS[escaping](text) + "\n" + after)
    assert left_of(secrets, told) == []
    assert redact(told) == told


@given(st.text(alphabet="{}[]\"'\\&=?%;:/ ,\n\taAuthorizationbearer0123456789-_.", max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("name", SHAPES)
def test_a_config_with_a_secret_in_any_field_is_refused_and_does_not_repeat_it(name: str) -> None:
    text, secrets = SHAPES[name]
    quoted = json.dumps(text)
    for lines in (
        f"owner: {quoted}",
        f"hf_token_secret: {quoted}",
        f"google_cloud: {{bucket: {quoted}}}",
        f"ttl: {quoted}",
    ):
        with pytest.raises(ConfigError) as raised:
            parse_deployment(f"name: x\nmodel: {{id: a/b}}\n{lines}\n", "x.yaml")
        assert left_of(secrets, str(raised.value)) == []


@pytest.mark.parametrize(
    "text",
    [
        "hf_token_secret: projects/p/secrets/hf-token/versions/3",
        "shelf_life_of_internationalization, hf_transformers",
        "the cookies of yesterday; a signature; policy: none",
        "the run task-0123456789-abcdefghijklmnop and disk-abcdefghijklmnopqrstuv",
        "https://huggingface.co/api/models?sort=downloads&limit=5",
        "gs://bucket/models/org/name/0e9e39f249a16976918f6564b8830bc894c89659/model-00001-of-00002.safetensors",
        "Password: see the documentation",
        "access_token: str | None = None",
        "time 12:34:56, at 10:00@noon, mail a@b.c",
        "id-token: write",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "x-goog-api-client: gl-python/3.12",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_all_other_text_stays(text: str) -> None:
    assert redact(text) == text
    assert not holds_secret(text)
