"""Recognises files that are not what their names say, by their first bytes. Pure."""

import re
from fnmatch import fnmatchcase

from vertex_vllm.errors import PlanError
from vertex_vllm.model.file_reader import SizedFile
from vertex_vllm.model.stand_ins import is_page, pointer_fault, stand_in
from vertex_vllm.model.untrusted_json import parse_json, utf8_text

# Bytes from a file's start that are enough for `content_fault`.
OPENING = 1 << 10
_ZIP, _GGUF = b"PK\x03\x04", b"GGUF"
# torch.save writes a ZIP archive since 1.6; before, and where asked to, a bare pickle of protocol 2 or later.
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
# Offset, bytes there, kind ("List of file signatures").
_SIGNATURES = (
    (0, _ZIP, "is a ZIP archive, as PyTorch's pickled weights are"),
    (0, _GGUF, "is a GGUF file"),
    (0, b"\x1f\x8b", "is compressed with gzip"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed with Zstandard"),
    (0, b"\xfd7zXZ\x00", "is compressed with xz"),
    (0, b"BZh", "is compressed with bzip2"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
    (257, b"ustar", "is a tar archive"),
    (0, b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras's weights are"),
    (0, b"\x93NUMPY", "is a NumPy array"),
    (0, b"%PDF-", "is a PDF document"),
    (0, b"\x89PNG", "is a PNG picture"),
)
# Characters of a text's first line that a message shows.
_SHOWN = 60
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
# Read as UTF-8 by transformers; its JSON files are checked when they are parsed.
_TEXTS = ("*.jinja", "merges.txt", "vocab.txt")
# Bytes. A longer file is not parsed: that would cost as much as copying it.
_LONGEST_PARSED = 4 << 20


def disguise(opening: bytes) -> str:
    """The kind of file that begins so, in words, if such files are found in the place of weights; else empty."""
    if standing := stand_in(opening):
        return standing
    for offset, signature, kind in _SIGNATURES:
        if opening[offset:].startswith(signature):
            return kind
    if _PICKLE.match(opening):
        return "is a pickle, as PyTorch's older weights are"
    if opening.lstrip()[:1] in (b"{", b"["):
        return "is JSON"
    return _text(opening)


def _text(opening: bytes) -> str:
    """Names a text by its first line; empty for bytes that are not text."""
    text = opening[:_SHOWN].decode("utf-8", "ignore")
    if len(text.encode()) < len(opening[:_SHOWN]) - 3 or not re.sub(r"\s", "", text).isprintable():
        return ""
    return f"is text that begins with {text.strip().splitlines()[0]!a}" if text.strip() else "is blank text"


def content_fault(path: str, size: int, opening: bytes) -> str:
    """Why the file cannot be the one of that name; empty where its opening allows it.

    `opening` holds its first `OPENING` bytes, or all where it is shorter. Headers of safetensors files are
    checked by `model.safetensors`.
    """
    kind = disguise(opening)
    if pointer_fault(opening):
        return kind
    name = path.rpartition("/")[2]
    if path.endswith(".gguf") and not opening.startswith(_GGUF):
        return f"is not a GGUF file: it {kind or 'has another beginning'}"
    if any(fnmatchcase(name, pattern) for pattern in _PICKLED_WEIGHTS):
        pickled = opening.startswith(_ZIP) or _PICKLE.match(opening)
        return "" if pickled else f"does not hold PyTorch's weights: it {kind or 'has another beginning'}"
    if name in _JSON_FILES and not size:
        return kind
    return kind if path.endswith((".json", ".model", ".jinja")) and is_page(opening) else ""


def check_small_file(file: SizedFile, data: bytes) -> None:
    """Raises PlanError if the whole content of a file is not what its name says."""
    fault = content_fault(file.path, len(data), data[:OPENING])
    if fault:
        raise PlanError(fault, where=file.path)
    if file.path in _JSON_FILES and len(data) <= _LONGEST_PARSED:
        parse_json(data, file.path)
    if any(fnmatchcase(file.path, pattern) for pattern in _TEXTS):
        utf8_text(data, file.path)
