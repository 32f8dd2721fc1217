"""Small mistakes at the command line: the error names the right words for each."""

import pytest

from tests.vertex_vllm.cli.documented_commands import vertex_vllm

CONFIG = "configs/llama-3.1-8b.yaml"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("submit", CONFIG, "--project", "p-123456", "--set", "max_model_len"), "Write --set max_model_len=VALUE"),
        (
            ("submit", CONFIG, "--project", "p-123456", "--set", "max_model_len=abc"),
            "`abc` is not a whole number. For example 4096",
        ),
        (
            ("publish", "--project", "p-123456", "--region", "us-central1", "--image", "i", "--commit", "x"),
            "--commit: `x` is not a commit",
        ),
        (("run", "list"), "No such command 'run'. Did you mean runs?"),
        (("sumbit", CONFIG), "No such command 'sumbit'. Did you mean submit?"),
    ],
    ids=["no value", "no number", "no commit", "run for runs", "misspelt"],
)
def test_the_answer_says_what_to_write(arguments: tuple[str, ...], words: str) -> None:
    answer = vertex_vllm(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert words in answer.stderr


def test_the_help_of_mirror_has_the_options_of_a_copy() -> None:
    answer = vertex_vllm("mirror", "--help")
    assert all(option in answer.stdout for option in ("--to", "--hf-token-secret", "--dry-run", "gc"))


def test_removal_without_anybody_to_ask_says_how(ready_project: str) -> None:
    answer = vertex_vllm("bootstrap", "--project", ready_project, "--region", "us-central1", "--remove")
    assert answer.returncode == 2
    assert "nothing was removed. The same command with --yes removes the above" in answer.stderr
