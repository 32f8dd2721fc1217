"""Which kind of tokenizer a repository has, by its files; without one vLLM does not start."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from vertex_vllm.model.file_reader import AnyFile
from vertex_vllm.model.repository_kind import MISTRAL_TOKENIZERS

TokenizerKind = Literal["transformers", "mistral", "none"]
# tokenizer.json; sentencepiece; tiktoken, as Qwen and GLM keep it; byte pairs; word pieces.
_TRANSFORMERS = ("tokenizer.json", "*.model", "*.tiktoken", "vocab.txt", "tokenization_*.py")
_PAIRS = ("vocab.json", "merges.txt")


def tokenizer_kind(listing: Sequence[AnyFile]) -> TokenizerKind:
    top = {file.path for file in listing if "/" not in file.path}
    if any(fnmatchcase(path, pattern) for path in top for pattern in _TRANSFORMERS) or set(_PAIRS) <= top:
        return "transformers"
    return "mistral" if any(fnmatchcase(path, pattern) for path in top for pattern in MISTRAL_TOKENIZERS) else "none"
