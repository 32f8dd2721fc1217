"""The journal of an unfinished upload: enough to resume it in another process, on another machine.

The journal is in the bucket, outside the mirror's own prefix, because a serving container loads that prefix whole.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

# Object names: this, the mirror's prefix, the file's path.
JOURNAL_PREFIX = ".vertex-vllm/journals"
_FORMAT = 1


@dataclass(frozen=True)
class Journal:
    """The upload of one file. Cloud Storage lists the parts that have arrived; the journal says what they hold."""

    upload_id: str
    size: int
    """Bytes of the file."""
    sha256: str
    """As the Hub lists it."""
    part_bytes: int
    crc32c: dict[int, int] = field(default_factory=dict)
    """Part number → CRC32C of what was sent as that part."""
    hashed: int = 0
    """Bytes from the start of the file that are in `state`; all of them have been sent."""
    state: str = ""
    """State of the SHA-256 after `hashed` bytes, see `mirror.sha256`."""

    def begun_anew(self) -> Self:
        """The same without its hash: all bytes are read again and compared with the parts that were sent."""
        return replace(self, hashed=0, state="")

    def is_of(self, size: int, sha256: str, part_bytes: int) -> bool:
        return (self.size, self.sha256, self.part_bytes) == (size, sha256, part_bytes)

    def to_json(self) -> str:
        return json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError for anything that `to_json` does not write."""
        try:
            fields: dict[str, Any] = json.loads(text)
            if fields.pop("format") != _FORMAT:
                raise ValueError("a journal of another format")
            crc32c = {_number(int(part)): _number(crc) for part, crc in fields.pop("crc32c").items()}
            journal = cls(**fields, crc32c=crc32c)
            _check_types(journal)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("not a journal") from error
        return journal


def _check_types(journal: Journal) -> None:
    for text in (journal.upload_id, journal.sha256, journal.state):
        if not isinstance(text, str):
            raise ValueError("not a journal")
    for number in (journal.size, journal.part_bytes, journal.hashed):
        _number(number)
    at_a_part = journal.part_bytes and journal.hashed % journal.part_bytes == 0
    if not at_a_part or journal.hashed >= journal.size or bool(journal.hashed) != bool(journal.state):
        raise ValueError("a journal that contradicts itself")


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a journal")
    return value
