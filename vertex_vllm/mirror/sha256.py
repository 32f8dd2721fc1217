"""SHA-256 whose state can be saved and resumed, in another process or on another machine.

hashlib cannot. OpenSSL's own functions can: their state is a plain structure, and every libcrypto has them, although
they are deprecated since 3.0. Without such a library there is no state, and a hash starts from the beginning.
"""

import ctypes
import hashlib
import sys
from ctypes.util import find_library
from functools import cache
from typing import Protocol

# sizeof(SHA256_CTX): h[8], Nl, Nh, data[16], num, md_len, of 4 bytes each.
STATE_BYTES = 112
_DIGEST_BYTES = 32


class RunningHash(Protocol):
    """A SHA-256 under way."""

    def update(self, view: memoryview) -> None:
        """Hashes bytes; other threads run meanwhile."""

    def hexdigest(self) -> str: ...

    def state(self) -> str:
        """The state in hexadecimal, for `sha256`; empty if it cannot be saved."""


def sha256(state: str = "") -> RunningHash:
    """A new hash, or one in that state. Raises ValueError for a state that this library cannot resume: start from the
    beginning."""
    library = _library()
    if library is not None:
        return _OpensslHash(library, _bytes_of(state))
    if state:
        raise ValueError("no libcrypto that resumes a SHA-256")
    return _Hashlib()


class _OpensslHash:
    def __init__(self, library: ctypes.CDLL, state: bytes) -> None:
        self._library = library
        self._context = ctypes.create_string_buffer(state, STATE_BYTES) if state else _begun(library)

    def update(self, view: memoryview) -> None:
        if len(view):
            start = ctypes.addressof(ctypes.c_char.from_buffer(view))
            self._library.SHA256_Update(self._context, start, view.nbytes)

    def hexdigest(self) -> str:
        digest = ctypes.create_string_buffer(_DIGEST_BYTES)
        self._library.SHA256_Final(digest, ctypes.create_string_buffer(self._context.raw, STATE_BYTES))
        return digest.raw.hex()

    def state(self) -> str:
        # The integers have the machine's byte order: the state of a big-endian machine is of no use here.
        return sys.byteorder + self._context.raw.hex()


class _Hashlib:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, view: memoryview) -> None:
        self._hash.update(view)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def state(self) -> str:
        return ""


def _bytes_of(state: str) -> bytes:
    if not state:
        return b""
    order, digits = state[: len(sys.byteorder)], state[len(sys.byteorder) :]
    raw = bytes.fromhex(digits)
    if order != sys.byteorder or len(raw) != STATE_BYTES:
        raise ValueError("a state of another machine")
    return raw


def _begun(library: ctypes.CDLL) -> ctypes.Array[ctypes.c_char]:
    context = ctypes.create_string_buffer(STATE_BYTES)
    library.SHA256_Init(context)
    return context


@cache
def _library() -> ctypes.CDLL | None:
    """libcrypto, if its SHA-256 gives the right hash; None without it."""
    for name in (find_library("crypto"), "libcrypto.so.3", "libcrypto.so.1.1"):
        try:
            library = ctypes.CDLL(name) if name else None
            if library is not None and _declare(library) and _is_right(library):
                return library
        except (OSError, AttributeError):
            continue
    return None


def _declare(library: ctypes.CDLL) -> bool:
    pointer = ctypes.c_void_p
    library.SHA256_Init.argtypes = [pointer]
    library.SHA256_Update.argtypes = [pointer, pointer, ctypes.c_size_t]
    library.SHA256_Final.argtypes = [pointer, pointer]
    return True


def _is_right(library: ctypes.CDLL) -> bool:
    data = bytearray(range(256)) * 3
    first = _OpensslHash(library, b"")
    first.update(memoryview(data)[:100])
    second = _OpensslHash(library, _bytes_of(first.state()))
    second.update(memoryview(data)[100:])
    return second.hexdigest() == hashlib.sha256(data).hexdigest()
