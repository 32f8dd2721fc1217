"""Headers of safetensors files: number and type of the values in each tensor, without reading the tensors.

Format: 8 bytes little-endian length, that many bytes of JSON, then the tensors ("Safetensors", README of the project).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock

from vertex_vllm.errors import PlanError
from vertex_vllm.model.content_kinds import disguise
from vertex_vllm.model.facts import TensorGroup
from vertex_vllm.model.file_reader import AnyFile, FileReader, SizedFile
from vertex_vllm.model.tensor_groups import group_of
from vertex_vllm.model.tensor_outline import Outline, outline_of
from vertex_vllm.model.untrusted_json import is_count, parse_json

# safetensors refuses longer headers itself: MAX_HEADER_SIZE in its tensor.rs.
LONGEST_HEADER = 100_000_000
# Of all files of one repository together. Real headers stay far below: 405 B parameters in 191 files have 0.3 MB.
LONGEST_HEADERS = LONGEST_HEADER
MOST_TENSORS = 1_000_000
# Bits of one number, by safetensors' name (`Dtype` in its tensor.rs); a tensor of another type is not measured.
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}
# Bytes; enough for most headers, so that one request suffices.
_FIRST_READ = 128 << 10
_READS_AT_ONCE = 8


@dataclass(frozen=True)
class Weights:
    """Size and types of a model's weights."""

    parameters: int
    """Numbers in all tensors."""
    bytes: int
    """Of all tensors, without headers."""
    dtype: str
    """The safetensors name of the type of most parameters, for example `BF16`; empty where it is not known."""
    groups: tuple[TensorGroup, ...] = ()
    """By part of the model and type; empty where the tensors' names are not known."""
    shape: tuple[int, ...] = ()
    """Of a single tensor."""
    begin: int = field(default=0, compare=False)
    """Of a single tensor: its first byte after the header."""
    outline: Outline = field(default_factory=Outline)


def header_length(prefix: bytes, file: SizedFile) -> int:
    """Length of the JSON header that the first eight bytes announce.

    Raises PlanError, which names a file of another kind where `prefix` shows it.
    """
    length = int.from_bytes(prefix[:8], "little") if len(prefix) >= 8 else 0
    if not 0 < length <= min(LONGEST_HEADER, file.size - 8):
        fault = disguise(prefix) or f"announces a header of {length} bytes in a file of {file.size}"
        raise PlanError(f"is not a safetensors file: it {fault}", where=file.path)
    return length


def tensors(header: bytes, file: SizedFile) -> dict[str, Weights]:
    """Tensor name → its count of numbers, bytes and type. Raises PlanError naming file and tensor."""
    # A parsed list takes 30 times its two bytes of text; a tensor has two lists and one object.
    if header.count(b"[") > 2 * MOST_TENSORS or header.count(b"{") > MOST_TENSORS + 2:
        raise PlanError(f"has a header of more than {MOST_TENSORS} tensors", where=file.path)
    entries = parse_json(header, file.path)
    entries.pop("__metadata__", None)
    room = file.size - 8 - len(header)
    if not entries:
        raise PlanError("holds no tensors", where=file.path)
    found = {name: _tensor(entry, room, f"{file.path}: {name[:200]!r}") for name, entry in entries.items()}
    _check_ranges(found, room, file)
    return found


def total(found: Iterable[Weights]) -> Weights:
    """Sum over tensors."""
    parameters = bytes_ = 0
    by_dtype: Counter[str] = Counter()
    for tensor in found:
        parameters += tensor.parameters
        bytes_ += tensor.bytes
        by_dtype[tensor.dtype] += tensor.parameters
    return Weights(parameters, bytes_, by_dtype.most_common(1)[0][0] if by_dtype else "")


def grouped(found: Iterable[tuple[str, Weights]]) -> tuple[TensorGroup, ...]:
    """Tensors, by name, summed by part of the model and type."""
    parameters: Counter[tuple[str, str]] = Counter()
    bytes_: Counter[tuple[str, str]] = Counter()
    for name, tensor in found:
        key = (group_of(name), tensor.dtype)
        parameters[key] += tensor.parameters
        bytes_[key] += tensor.bytes
    return tuple(TensorGroup(*key, parameters[key], bytes_[key]) for key in sorted(bytes_))


def read_tensors(reader: FileReader[AnyFile], files: Sequence[AnyFile]) -> dict[str, dict[str, Weights]]:
    """Path → the tensors of that safetensors file by name, from its header alone.

    Raises PlanError for a header that is malformed or too long.
    """
    found: dict[str, dict[str, Weights]] = {}
    count = 0
    room = _Room(LONGEST_HEADERS)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for file, header in zip(files, pool.map(lambda file: _read_header(reader, file, room), files), strict=True):
            found[file.path] = tensors(header, file)
            count += len(found[file.path])
            if count > MOST_TENSORS:
                raise PlanError(f"more than {MOST_TENSORS} tensors in all", where=file.path)
    return found


def weights_of(found: Mapping[str, Mapping[str, Weights]]) -> Weights:
    """Size and types of the tensors of several files, as `read_tensors` returns them.

    A tensor that several files hold counts once: the last one is what vLLM keeps.
    """
    named = {name: tensor for tensors_ in found.values() for name, tensor in tensors_.items()}
    outline = outline_of((name, tensor.shape, tensor.dtype) for name, tensor in named.items())
    return replace(total(named.values()), groups=grouped(named.items()), outline=outline)


class _Room:
    """Bytes that the headers of one repository may still take. Threads share it."""

    def __init__(self, bytes_: int) -> None:
        self._left, self._lock = bytes_, Lock()

    def take(self, bytes_: int, file: SizedFile) -> None:
        """Raises PlanError where they are too many, before any of them is read."""
        with self._lock:
            self._left -= bytes_
            if self._left < 0:
                raise PlanError(f"headers of more than {LONGEST_HEADERS} bytes in all", where=file.path)


def _read_header(reader: FileReader[AnyFile], file: AnyFile, room: _Room) -> bytes:
    begin = reader.read(file, 0, min(_FIRST_READ, file.size))
    end = 8 + header_length(begin, file)
    room.take(end, file)
    if end > len(begin):
        begin += reader.read(file, len(begin), end - len(begin))
    return begin[8:end]


def _tensor(entry: object, room: int, where: str) -> Weights:
    fields = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not isinstance(dtype, str):
        raise PlanError("has no dtype", where=where)
    if not isinstance(shape, list) or not all(is_count(size) for size in shape) or len(shape) > 32:
        raise PlanError("has no shape", where=where)
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(is_count(offset) for offset in offsets):
        raise PlanError("has no data_offsets", where=where)
    if not offsets[0] <= offsets[1] <= room:
        raise PlanError("has data_offsets outside the file", where=where)
    parameters = math.prod(shape)
    # No type is smaller than 4 bits, so that a shape cannot claim more than its bytes hold.
    if parameters > 2 * (offsets[1] - offsets[0]):
        raise PlanError("has a shape that its bytes cannot hold", where=where)
    if dtype in _BITS and parameters * _BITS[dtype] != 8 * (offsets[1] - offsets[0]):
        raise PlanError("has a shape that its bytes cannot hold, or do not fill", where=where)
    return Weights(parameters, offsets[1] - offsets[0], dtype, shape=tuple(shape), begin=offsets[0])


def _check_ranges(found: Mapping[str, Weights], room: int, file: SizedFile) -> None:
    """Raises PlanError unless the tensors fill the file without gaps, as safetensors' `validate` (tensor.rs) does."""
    end = 0
    for name, tensor in sorted(found.items(), key=lambda item: (item[1].begin, item[1].bytes)):
        if tensor.begin != end:
            fault = "overlaps another tensor" if tensor.begin < end else "leaves a hole before it"
            raise PlanError(fault, where=f"{file.path}: {name[:200]!r}")
        end += tensor.bytes
    if end != room:
        raise PlanError(
            f"has {room} bytes after its header, and its tensors take {end}: the file is cut", where=file.path
        )
