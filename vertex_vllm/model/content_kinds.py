"""Files that are not what their names say: recognised from their first bytes, called what they are. Pure."""

import re
from fnmatch import fnmatchcase

from vertex_vllm.errors import PlanError
from vertex_vllm.model.file_reader import SizedFile
from vertex_vllm.model.untrusted_json import parse_json

# Bytes from a file's start that are enough for `content_fault`.
OPENING = 1 << 10
# git-lfs, "The pointer": its first line.
_POINTER = b"version https://git-lfs.github.com/spec/"
_HTML = re.compile(rb"(?is)\s*(<!doctype html|<html[\s>]|<\?xml\s)")
_ZIP, _GGUF, _GZIP = b"PK\x03\x04", b"GGUF", b"\x1f\x8b"
# torch.save writes a ZIP archive since 1.6; before, and where asked to, a bare pickle of protocol 2 or later.
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_PICKLED_WEIGHTS = ("pytorch_model*.bin", "model*.bin", "adapter_model*.bin", "consolidated*.pt", "consolidated*.pth")
# Read as JSON by vLLM or transformers when they load a model; another file of that ending may hold anything.
_JSON_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "preprocessor_config.json",
    "processor_config.json",
    "quantize_config.json",
    "adapter_config.json",
    "params.json",
)
# Bytes. A longer one is not parsed here: that would cost as much as copying it.
_LONGEST_PARSED = 4 << 20


def disguise(opening: bytes) -> str:
    """Names the kind of file that begins so, where it is one that is found in the place of weights; else empty."""
    if not opening:
        return "is empty"
    if opening.startswith(_POINTER):
        return "is a pointer of Git LFS, not the file that it points to"
    if _HTML.match(opening):
        return "is a web page (HTML or XML)"
    if opening.startswith(_ZIP):
        return "is a ZIP archive, as PyTorch's pickled weights are"
    if _PICKLE.match(opening):
        return "is a pickle, as PyTorch's older weights are"
    if opening.startswith(_GGUF):
        return "is a GGUF file"
    if opening.startswith(_GZIP):
        return "is compressed with gzip"
    if opening.lstrip()[:1] in (b"{", b"["):
        return "is JSON"
    return ""


def content_fault(path: str, size: int, opening: bytes) -> str:
    """Why the file cannot be the one of that name; empty where its opening allows it.

    `opening` holds its first `OPENING` bytes, or all where it is shorter. Headers of safetensors files are another
    matter: `model.safetensors` reads them.
    """
    kind = disguise(opening)
    if kind.startswith("is a pointer of Git LFS"):
        return kind
    name = path.rpartition("/")[2]
    if path.endswith(".gguf") and not opening.startswith(_GGUF):
        return f"is not a GGUF file: it {kind or 'has another beginning'}"
    if any(fnmatchcase(name, pattern) for pattern in _PICKLED_WEIGHTS):
        pickled = opening.startswith(_ZIP) or _PICKLE.match(opening)
        return "" if pickled else f"does not hold PyTorch's weights: it {kind or 'has another beginning'}"
    if name in _JSON_FILES and not size:
        return kind
    return kind if path.endswith((".json", ".model", ".jinja")) and _HTML.match(opening) else ""


def check_small_file(file: SizedFile, data: bytes) -> None:
    """Raises PlanError where the whole content of a file is not what its name says."""
    fault = content_fault(file.path, len(data), data[:OPENING])
    if fault:
        raise PlanError(fault, where=file.path)
    if file.path in _JSON_FILES and len(data) <= _LONGEST_PARSED:
        parse_json(data, file.path)
