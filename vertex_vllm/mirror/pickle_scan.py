"""Pickled weights are scanned in the bucket before a mirror is published: nothing of them is loaded or run.

picklescan lists the names that a pickle imports and knows the dangerous ones, as the Hub's own scanner does. A list of
dangerous names is never whole: a name that is not among those of tensors is refused too. Of a ZIP archive, the form
that torch.save writes, its directory and the pickles in it are read, and of each tensor the first bytes. A file that
cannot be scanned within the bounds counts as dangerous.
"""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal, Protocol, TypeVar

from vertex_vllm.errors import InputError, MirrorError, PlanError

PickledWeights = Literal["refuse", "scanned", "any"]
"""Whether pickle files are mirrored: never, after a scan that finds nothing dangerous, or always."""

FIELD = "mirror.pickled_weights"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
# The names that `torch.load` takes with weights_only, as vLLM calls it: `_get_allowed_globals` of torch 2.13.0, in
# torch/_weights_only_unpickler.py. Any other would not load there.
_OF_TENSORS = re.compile(
    r"_codecs\.encode|(?:builtins|__builtin__)\.(?:bytearray|complex|set)|collections\.(?:Counter|OrderedDict)"
    r"|torch\.(?:Tensor|Size|device|bool|per_(?:channel|tensor)_[a-z_]+)"
    r"|torch\.(?:bfloat|bits|complex|float|u?int|qu?int)[0-9][a-z0-9_]*"
    r"|torch\.(?:cuda\.)?(?:sparse\.)?[A-Z][A-Za-z0-9]{0,20}(?:Storage|Tensor)"
    r"|torch\._utils\._rebuild_[a-z0-9_]{1,50}|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.nn\.parameter\.Parameter|torch\.serialization\._get_layout|torch\.storage\.(?:Typed|Untyped)Storage"
)
# Bytes of the pickles in one file. A tensor takes some 150 of them, and parsing takes more than a hundred for each.
_MOST_PICKLED = 4 << 20
# Bytes of one read: the header of an archive's entry and the start of its content.
_PIECE = 8 << 10
_AT_ONCE = 2
_MOST_NAMED = 5


class _File(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...


F = TypeVar("F", bound=_File)
ReadRange = Callable[[int, int], "bytes | None"]
"""Bytes of a file, from a start on, of a length; None where the file is gone."""


def pickles_among(files: Sequence[F]) -> list[F]:
    """Files that are pickles by their names, as PyTorch and vLLM load them."""
    return [file for file in files if file.path.endswith(_PICKLES)]


def pickled_consent(given: str) -> PickledWeights:
    """The value of `mirror.pickled_weights`. Raises InputError for any other text."""
    for value in ("refuse", "scanned", "any"):
        if given == value:
            return value
    raise InputError(f"`{given}` is not refuse, scanned or any", where=FIELD)


def check_selected(files: Sequence[_File], consent: PickledWeights, repository: str) -> None:
    """Raises PlanError where pickles are selected and the config refuses such."""
    refused = pickles_among(files)
    if refused and consent == "refuse":
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise PlanError(
            f"{refused[0].path}{more} is pickled, a format that can run code while it is loaded",
            where=repository,
            fix=f"Choose a repository with safetensors files, or set {FIELD} (--pickled-weights) to scanned.",
        )


def check_scanned(files: Sequence[F], read: Callable[[F, int, int], "bytes | None"], repository: str) -> None:
    """Scans pickles, some at a time. Raises MirrorError with the dangerous imports, or why a file cannot be scanned.

    `read`: bytes of a file's object, from a start on, of a length; None where it was replaced meanwhile.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        faults = list(threads.map(lambda file: pickle_fault(file.path, file.size, partial(read, file)), files))
    for file, fault in zip(files, faults, strict=True):
        if fault:
            raise MirrorError(
                f"{fault}; nothing of it was published",
                where=f"{repository}: {file.path}",
                path=file.path,
                fix=f"Choose another repository. With {FIELD} (--pickled-weights) any, it is mirrored all the same.",
            )


def pickle_fault(path: str, size: int, read: ReadRange) -> str:
    """Why the pickles of a file may not be loaded; empty where a scan finds nothing dangerous.

    Raises MirrorError where the file was replaced meanwhile, and nothing for its content.
    """
    from picklescan.scanner import SafetyLevel, scan_bytes

    stream = _Stream(size, read)
    try:
        stream.limit = _MOST_PICKLED
        if fault := _allow_archive(stream):
            return fault
        buffered = io.BufferedReader(stream, _PIECE)
        result = scan_bytes(buffered, path, path[path.rindex(".") :])
    except MirrorError:
        raise
    except Exception as error:  # The file's author chooses what its parser meets.
        return stream.fault or f"cannot be scanned: {type(error).__name__}"
    dangerous = sorted(
        {f"{each.module}.{each.name}" for each in result.globals if each.safety is SafetyLevel.Dangerous}
    )
    if dangerous:
        more = f" and {len(dangerous) - _MOST_NAMED} more" if len(dangerous) > _MOST_NAMED else ""
        return f"loading it would call {', '.join(dangerous[:_MOST_NAMED])}{more}"
    named = {f"{each.module}.{each.name}" for each in result.globals}
    if other := sorted(name for name in named if not _OF_TENSORS.fullmatch(name)):
        more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        return f"it imports {', '.join(other[:_MOST_NAMED])}{more}, which tensors do not need"
    if stream.fault:
        return stream.fault
    return "" if result.globals and not result.scan_err else "cannot be scanned: it is not a whole pickle of tensors"


def _allow_archive(stream: "_Stream") -> str:
    """Raises the stream's bound by what an archive's entries cost beside its pickles; a fault for a compressed one."""
    opening = stream.read(4)
    stream.seek(0)
    if opening != b"PK\x03\x04":
        return ""
    buffered = io.BufferedReader(stream, _PIECE)
    entries = zipfile.ZipFile(buffered).infolist()
    buffered.detach()  # Otherwise the stream would be closed with it.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "cannot be scanned: its archive is compressed, which torch.save never does"
    # Bytes that an entry costs besides its pickle: two pieces, and its part of the directory.
    stream.limit += 2 * stream.taken + 2 * _PIECE * len(entries)
    stream.seek(0)
    return ""


class _Stream(io.RawIOBase):
    """A file in the bucket, read by ranges, up to a bound."""

    def __init__(self, size: int, read: ReadRange) -> None:
        super().__init__()
        self._size, self._read, self._at = size, read, 0
        self.limit = 0
        """Bytes that may be read in all."""
        self.taken = 0
        self.fault = ""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("an offset before the file's start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # io types it as a private protocol
        length = max(0, min(len(buffer), self._size - self._at))
        if self.taken + length > self.limit:
            self.fault = f"cannot be scanned: its pickles have more than {_MOST_PICKLED >> 20} MiB"
            raise OSError(self.fault)
        if length:
            data = self._read(self._at, length)
            if data is None:
                raise MirrorError("was changed while it was scanned", fix="Mirror it again.")
            buffer[:length] = data
            self._at += length
            self.taken += length
        return length
