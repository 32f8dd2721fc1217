"""`vertex-vllm diagnose LOGFILE`: the cause, the change of the config, and the config with it."""

import json
from pathlib import Path

import pytest

from vertex_vllm.cli import main
from vertex_vllm.config import load_deployment

CONFIG = """\
# The team's model.
name: llama
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hf_token_secret: hf-token
serving:
  max_model_len: 4096  # as long as the tutorial
"""
LOG = (
    "(EngineCore_DP0 pid=27) ERROR 10-14 15:03:20 [core.py:708] ValueError: The model's max seq len (4096) is larger "
    "than the maximum number of tokens that can be stored in KV cache (2256). Try increasing\n"
    "RuntimeError: Engine core initialization failed. See root cause above.\n"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    log, config = tmp_path / "container.log", tmp_path / "llama.yaml"
    log.write_text(LOG)
    config.write_text(CONFIG)
    return log, config


def test_the_change_is_shown_and_applied_only_on_request(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    log, config = files
    main(["diagnose", str(log), "--config", str(config)])
    shown = capsys.readouterr().out
    assert "1. The KV cache is too small for one request of max_model_len (4096 tokens)" in shown
    assert "line 1, 10-14 15:03:20, EngineCore_DP0 27: ValueError" in shown
    assert (
        "-  max_model_len: 4096  # as long as the tutorial\n+  max_model_len: 2048  # as long as the tutorial" in shown
    )
    assert config.read_text() == CONFIG
    main(["diagnose", str(log), "--config", str(config), "--apply"])
    assert config.read_text() == CONFIG.replace("4096", "2048")
    assert load_deployment(config).serving.max_model_len == 2048


def test_json_and_page_say_the_same(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    main(["diagnose", str(files[0]), "--json", "--html", str(page)])
    report = json.loads(capsys.readouterr().out)
    assert [cause["rule"] for cause in report["causes"]] == ["context_over_cache"]
    assert report["patch"] is None
    assert report["summary"] in page.read_text()


def test_a_file_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", "nowhere/container.log"])
    assert ended.value.code == 2
    assert "nowhere/container.log: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--apply"], "--config"), (["--apply", "--config", "nowhere.yaml"], "nowhere.yaml")]
)
def test_bad_input_is_one_line(
    files: tuple[Path, Path], arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", str(files[0]), *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
