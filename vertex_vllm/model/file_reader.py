"""Files of a model, on the Hub or in a bucket: their names, lengths and bytes."""

from typing import Protocol, TypeVar


class SizedFile(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int:
        """Bytes."""
        ...


AnyFile = TypeVar("AnyFile", bound=SizedFile)
ReadFile = TypeVar("ReadFile", bound=SizedFile, contravariant=True)


class FileReader(Protocol[ReadFile]):
    def read(self, file: ReadFile, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start` on; by default the whole file."""
        ...
