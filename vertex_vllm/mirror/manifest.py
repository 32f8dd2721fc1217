"""The manifest of a mirror: the list of its verified files, written last."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol, Self

from vertex_vllm.mirror.needed_files import EVERYTHING_NEEDED, Selection

_FORMAT = 1


@dataclass(frozen=True)
class MirroredFile:
    """A file of the model, as it is in the bucket."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    """SHA-256 of the content, hexadecimal."""
    crc32c: str
    """Base64, as Cloud Storage has it."""
    generation: int
    """Generation of the object: another number means that it was written again."""


@dataclass(frozen=True)
class Manifest:
    """A model at one commit, mirrored."""

    model_id: str
    """`owner/name` on the Hub."""
    commit: str
    """40 hexadecimal digits."""
    uri: str
    """`gs://bucket/prefix` of the files, without a slash at its end."""
    files: tuple[MirroredFile, ...]
    selection: Selection = EVERYTHING_NEEDED
    """The rule by which files of the repository were chosen."""

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError for anything that `to_json` does not write."""
        try:
            fields = json.loads(text)
            if fields.pop("format") != _FORMAT:
                raise ValueError("a manifest of another format")
            fields["files"] = tuple(MirroredFile(**file) for file in fields["files"])
            selection = Selection.from_fields(fields.pop("selection", {}))
            return cls(**fields, selection=selection)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("not a manifest") from error


class Stored(Protocol):
    """The properties of an object that are compared with a manifest."""

    @property
    def size(self) -> int: ...
    @property
    def crc32c(self) -> str: ...
    @property
    def generation(self) -> int: ...


def is_whole(manifest: Manifest, objects: Mapping[str, Stored]) -> bool:
    """Whether `objects` (path → object) has every file of the manifest with size, CRC32C and generation."""
    return all(
        (stored := objects.get(file.path)) is not None
        and (stored.size, stored.crc32c, stored.generation) == (file.size, file.crc32c, file.generation)
        for file in manifest.files
    )
