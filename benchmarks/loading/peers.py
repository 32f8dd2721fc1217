"""Commands of other load generators that send the same load; each is installed in an environment of its own."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vertex_vllm.local.local_cache import cache_directory

PROMPT_TOKENS = 32
_TOKENIZER, _COMMIT = "stub/tokenizer", "0" * 40
_TOKENIZER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Load:
    """A load: requests with equal gaps and equal lengths."""

    url: str
    rate: float
    """Requests per second."""
    count: int
    """Total number of requests."""
    answer_tokens: int
    streams: int


def find_tokenizer() -> Path | None:
    """The demo model's tokenizer, which `make demo` builds; peers count prompts with it."""
    found = sorted(cache_directory().glob("models/*/*/SmolLM2-135M-Instruct/tokenizer.json"))
    return found[0].parent if found else None


def hub_cache(tokenizer: Path, scratch: Path) -> Mapping[str, str]:
    """Environment variables for a cache of the Hub with that tokenizer, so that nothing is downloaded."""
    model = scratch / "hub" / f"models--{_TOKENIZER.replace('/', '--')}"
    snapshot = model / "snapshots" / _COMMIT
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(_COMMIT)
    for name in _TOKENIZER_FILES:
        shutil.copy(tokenizer / name, snapshot / name)
    return {"HF_HOME": str(scratch), "HF_HUB_OFFLINE": "1"}


def aiperf(program: str, load: Load, folder: Path) -> list[str]:
    """The command of NVIDIA's AIPerf 0.13."""
    return [
        *(program, "profile", "--model", "stub", "--endpoint-type", "chat", "--streaming", "--ui", "none"),
        *("--tokenizer", _TOKENIZER, "--use-server-token-count", "--no-gpu-telemetry", "--no-server-metrics"),
        *("--url", load.url, "--request-rate", str(load.rate), "--request-rate-mode", "constant"),
        *("--request-count", str(load.count), "--random-seed", "1", "--output-artifact-dir", str(folder)),
        *("--synthetic-input-tokens-mean", str(PROMPT_TOKENS), "--synthetic-input-tokens-stddev", "0"),
        *("--output-tokens-mean", str(load.answer_tokens), "--output-tokens-stddev", "0"),
    ]


def guidellm(program: str, load: Load, folder: Path) -> list[str]:
    """The command of vLLM's GuideLLM 0.8."""
    return [
        *(program, "run", "--backend", f"kind=openai_http,target={load.url},model=stub"),
        *("--profile", f"kind=constant,rate={load.rate},max_concurrency={2 * load.streams}"),
        *("--constraint", f"kind=max_requests,count={load.count}"),
        *("--tokenizer", f"kind=hf_auto,model={_TOKENIZER}"),
        *("--data", f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={load.answer_tokens}"),
        *("--output", f"kind=json,path={folder / 'guidellm.json'}", "--disable-console"),
    ]


def version(program: str) -> str:
    """Version of the package in the program's environment."""
    site = Path(program).resolve().parent.parent / "lib"
    name = os.path.basename(program)
    found = sorted(site.glob(f"*/site-packages/{name}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info") if found else name
