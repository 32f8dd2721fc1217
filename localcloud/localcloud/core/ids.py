"""The one source of generated ids: seeded, and never the same twice in one state directory."""

import hashlib
from collections.abc import Callable


class Ids:
    """Ids that look random; the same seed gives the same ids in the same order."""

    def __init__(self, seed: str, next_number: Callable[[], int]) -> None:
        self._seed = seed
        self._next_number = next_number

    def numeric(self, digits: int = 19) -> str:
        """At most 19 decimal digits, no leading zero; a signed 64-bit integer, as Vertex AI's resource ids."""
        low, high = 10 ** (digits - 1), min(10**digits, 2**63)
        return str(low + int(self._digest(), 16) % (high - low))

    def hex(self, length: int = 32) -> str:
        """Lower-case hexadecimal digits, at most 128."""
        return self._digest()[:length]

    def _digest(self) -> str:
        return hashlib.sha512(f"{self._seed}:{self._next_number()}".encode()).hexdigest()
