"""Secrets of every shape are redacted in every output of a process."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.redaction import redact, remember
from vertex_vllm.secret_shapes import SHAPES
from vertex_vllm.steps import write_artifact

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "hf_" + "aB3" * 11
SIGNED = "https://storage.googleapis.com/b/o?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=me%40p&X-Goog-Signature=abc123"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"token {TOKEN}, refused", "token [redacted], refused"),
        (f"https://user:{TOKEN}@huggingface.co/x", "https://user:[redacted]@huggingface.co/x"),
        (f'{{"Authorization": "Bearer {TOKEN}"}}', '{"Authorization": "Bearer [redacted]"}'),
        ("authorization: Bearer short", "authorization: Bearer [redacted]"),
        ("Authorization: Basic dXNlcjpwdw==", "Authorization: Basic [redacted]"),
        ("[('authorization', 'Bearer ya29.c.abcdefghij')]", "[('authorization', 'Bearer [redacted]')]"),
        ("b'Authorization', b'abc'", "b'Authorization', b'[redacted]'"),
        ("sent bearer abcdefghijklmnopqrst", "sent bearer [redacted]"),
        ("credentials ya29.a0AfH6SMBx-y_z", "credentials [redacted]"),
        ("id eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end", "id [redacted] end"),
        (
            SIGNED,
            "https://storage.googleapis.com/b/o?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=[redacted]"
            "&X-Goog-Signature=[redacted]",
        ),
        (
            "GET https://cdn.example/file?Policy=eyJ&Signature=a~b&Key-Pair-Id=K1 failed",
            "GET https://cdn.example/file?Policy=[redacted]&Signature=[redacted]&Key-Pair-Id=[redacted] failed",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nafter", "[redacted]\nafter"),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "hf_token_secret: projects/p/secrets/hf-token/versions/3",
        "Authorization failed",
        "the bearer of bad news",
        "meta-llama/Llama-3.1-8B-Instruct at commit 0e9e39f249a16976918f6564b8830bc894c89659",
        "gs://bucket/models/org/name/0123?generation=5",
        '--header "Authorization: Bearer $(gcloud auth print-access-token)"',
        "",
    ],
)
def test_all_other_text_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_any_text_can_be_redacted_and_twice_is_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)
    assert TOKEN not in redact(f"{text}\n{TOKEN}\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "authorızation: abcdefghi12345",
        "AUTHORİZATION: abcdefghi12345",
        "paſſword=abc12345678",
        "cooKıe: a=b",
        "docker logın -p abcdefghi12345",
    ],
)
def test_a_word_may_have_letters_that_are_another_case_of_its_own(text: str) -> None:
    assert any(shape.pattern.search(text) for shape in SHAPES)
    assert "[redacted]" in redact(text)


def test_a_token_in_use_is_redacted_whatever_it_looks_like() -> None:
    token = f"a word {uuid.uuid4()} in passing"
    assert redact(token) == token
    remember(token)
    remember("short")
    remember(None)
    assert redact(f"<{token}> short") == "<[redacted]> short"


def test_an_artifact_holds_no_token(tmp_path: Path) -> None:
    write_artifact(str(tmp_path / "answers"), f"the model said {TOKEN} – and no more")
    assert (tmp_path / "answers").read_text(encoding="utf-8") == "the model said [redacted] – and no more"


def leak(code: str, boundary: str = "with step():") -> subprocess.CompletedProcess[str]:
    """Runs `code` inside the boundary of a step, with the token in `token`."""
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    prelude = "import logging, os, subprocess, sys, warnings\nfrom vertex_vllm.errors import ServiceError\n"
    script = f"{prelude}from vertex_vllm.steps import step\ntoken = sys.stdin.read()\n{boundary}\n{lines}\n"
    return subprocess.run(
        [sys.executable, "-c", script], input=TOKEN, capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.mark.parametrize(
    "code",
    [
        "print(token)",
        "print(token, file=sys.stderr)",
        "sys.stdout.writelines([token])",
        "logging.error('refused: %s', token)",
        "logging.basicConfig(level='DEBUG'); logging.getLogger('a.b').debug({'authorization': token})",
        "try:\n    raise ValueError(token)\nexcept ValueError:\n    logging.exception('failed')",
        "raise ServiceError(f'Hub: {token}')",
        "raise ServiceError('Hub') from ValueError(token)",
        "raise RuntimeError(token)",
        "warnings.warn(token)",
    ],
)
def test_no_way_out_of_a_step_shows_a_token(code: str) -> None:
    answer = leak(code)
    assert TOKEN not in answer.stdout + answer.stderr
    assert "[redacted]" in answer.stdout + answer.stderr or "raise ServiceError('Hub')" in code


def test_a_handler_made_before_the_step_shows_none_either() -> None:
    answer = leak("logging.warning(token)", "logging.basicConfig()\nwith step():")
    assert answer.stderr == "WARNING:root:[redacted]\n"


@pytest.mark.parametrize(
    "code",
    [
        "subprocess.run(['true', token])",
        "subprocess.run(f'true {token}', shell=True)",
        "subprocess.run([b'true', b'--header=Authorization: Bearer ' + token.encode()])",
        "os.system(f'true {token}')",
        "os.posix_spawn('/bin/true', ['true', token], {})",
        "os.execv('/bin/true', ['true', token])",
    ],
)
def test_no_other_program_is_given_a_token_as_an_argument(code: str) -> None:
    answer = leak(code)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: a token was about to be given to another program")
    assert TOKEN not in answer.stderr


def test_a_token_in_the_environment_of_another_program_is_allowed() -> None:
    answer = leak("subprocess.run(['printenv', 'HF_TOKEN'], env={**os.environ, 'HF_TOKEN': token}, stdout=-3)")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_command_line_redacts_too() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "vertex_vllm", "validate", f"{TOKEN}.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert answer.returncode == 2
    assert answer.stderr == "error: [redacted].yaml:1: no such file\n"
