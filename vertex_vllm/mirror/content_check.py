"""Checks the content of files while they are copied, so that a verified mirror can be loaded.

Of a safetensors file the header is read from the bytes that pass; of other weights the first bytes; small files whole.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from vertex_vllm.errors import PlanError
from vertex_vllm.model.content_kinds import OPENING, check_small_file, content_fault
from vertex_vllm.model.file_reader import SizedFile
from vertex_vllm.model.safetensors import header_length, tensors

# Bytes. Longer headers are checked for their length alone: parsed, each byte takes more than ten of memory, and the
# longest that are known have 0.3 MB.
_LONGEST_PARSED = 16 << 20
# Bytes of the first read of an object in the bucket; enough for most headers.
_FIRST_READ = 128 << 10
_READS_AT_ONCE = 8
# Bytes. Files up to this size are read whole if they are in the bucket already.
_SMALL = 1 << 20
_PARSING = threading.Lock()


ReadRange = Callable[[int, int], bytes]
"""Bytes of a file, from a start on, of a length."""


class PassingContent:
    """The bytes of one file as they pass, in order. A fault is kept until the file's hash proves the bytes right."""

    def __init__(self, file: SizedFile, start: int) -> None:
        """`start`: offset of the first byte; bytes that an earlier run has hashed do not pass again."""
        self._file = file
        self._start = start
        self._held = bytearray()
        self._wanted = 0 if start else min(OPENING, file.size)
        self._fault: PlanError | None = None

    def update(self, view: memoryview) -> None:
        """Keeps of the bytes no more than the file's header."""
        while self._wanted and view:
            part = view[: self._wanted - len(self._held)]
            self._held += part
            view = view[len(part) :]
            if len(self._held) == self._wanted:
                self._judge()

    def check(self, read: ReadRange) -> None:
        """Raises PlanError if a file of that name cannot have this content. Call it once the hash is verified."""
        if self._start:
            check_opening(self._file, read)
        if self._fault is not None:
            raise self._fault

    def _judge(self) -> None:
        try:
            more = _wanted_after(self._file, bytes(self._held))
        except PlanError as error:
            self._fault, more = error, 0
        self._wanted = more
        if not more:
            self._held.clear()


def check_opening(file: SizedFile, read: ReadRange) -> None:
    """Checks a complete file by reading its start. Raises PlanError."""
    if file.size <= _SMALL and not file.path.endswith(".safetensors"):
        check_small_file(file, read(0, file.size) if file.size else b"")
        return
    held = read(0, min(_FIRST_READ, file.size)) if file.size else b""
    wanted = _wanted_after(file, held)
    if wanted:
        _wanted_after(file, held + read(len(held), wanted - len(held)))


def _wanted_after(file: SizedFile, held: bytes) -> int:
    """Bytes from the start that are wanted beyond those that are held; 0 when they have been checked to be right.

    Raises PlanError.
    """
    if not file.path.endswith(".safetensors"):
        if fault := content_fault(file.path, file.size, held[:OPENING]):
            raise PlanError(fault, where=file.path)
        return 0
    end = 8 + header_length(held, file)
    if end - 8 > _LONGEST_PARSED:
        return 0
    if end > len(held):
        return end
    with _PARSING:  # One at a time: memory stays bounded.
        tensors(held[8:end], file)
    return 0


def check_content(file: SizedFile, data: bytes) -> None:
    """Checks a file by all of its bytes. Raises PlanError."""
    check_opening(file, lambda start, length: data[start : start + length])


def check_openings(files: Iterable[SizedFile], read: Callable[[str, int, int], bytes]) -> None:
    """Several files, some at a time; `read` is given their paths. Raises the first PlanError."""
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        for _ in threads.map(lambda file: check_opening(file, partial(read, file.path)), files):
            pass


@contextmanager
def named(where: str, path: str = "") -> Iterator[None]:
    """Adds the repository, and the remaining choice, to a fault of a file's content.

    `path`: of the file that `where` names already.
    """
    try:
        yield
    except PlanError as error:
        fix = error.fix or "Choose another revision, or leave the file out with --exclude if serving does not need it."
        detail = error.where.removeprefix(path).removeprefix(": ")
        named = f"{where}: {detail}" if detail else where
        raise error.reworded(f"{error.message}; nothing of it was published", where=named, fix=fix) from None
