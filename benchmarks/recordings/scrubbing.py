"""Removes ids, addresses and secrets of the recording user, and then scans for them.

Tokens and keys become `xxx`, addresses those for documentation (RFC 5737, RFC 2606), the project `${projectId}` and
`${projectNumber}`. Other generated numbers and UUIDs become invented ones, equal for equal originals.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import google_crc32c

_REDACTED = "xxx"
_REDACTED_BYTES = base64.b64encode(_REDACTED.encode()).decode()
_REDACTED_CRC32C = str(google_crc32c.value(_REDACTED.encode()))
# Fields whose values are always secret.
_SECRET_FIELDS = frozenset(
    {
        *("access_token", "accessToken", "id_token", "idToken", "refresh_token", "token", "signedBlob", "signedJwt"),
        *("privateKeyData", "private_key", "private_key_id", "client_secret", "assertion", "authorization", "password"),
    }
)
_SECRET_VALUES = {
    "access token": re.compile(r"ya29\.[\w.-]+"),
    "Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{10,}"),
    "JSON web token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]+)?"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    "key of an API": re.compile(r"\bAIza[\w-]{30,}"),
    "signature": re.compile(r"(?i)(?<=signature=)[\w%+/=~-]{8,}|(?<=X-Goog-Credential=)[\w%.@-]{8,}"),
    "form secret": re.compile(
        r"(?<=client_secret=)[^&\s\"]{4,}|(?<=refresh_token=)[^&\s\"]{4,}|(?<=assertion=)[^&\s\"]{4,}"
    ),
    "billing account": re.compile(r"\b[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}\b"),
}
_MAIL = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_SERVICE_MAIL = re.compile(r"(?:@|%40)(?:[\w.${}-]*\.)?(?:gserviceaccount\.com|example\.com)$")
_IPV4 = re.compile(r"(?<![\d.\w-])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\d.\w-])")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])", re.IGNORECASE)
_HARMLESS_ADDRESSES = ("127.0.0.1", "0.0.0.0", "192.0.2.1")
_NUMBER = re.compile(r"(?<![\w.])\d{11,21}(?![\w.])")
_BASE64 = re.compile(r'\{"base64": "([A-Za-z0-9+/=]+)"\}')
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


@dataclass
class Scrubber:
    """`literals`: text to remove → its replacement; longer texts are replaced first."""

    literals: dict[str, str] = field(default_factory=dict)
    _salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    _replaced: set[str] = field(default_factory=set)

    def clean(self, value: Any, key: str = "") -> Any:
        """A copy of a JSON value without ids, addresses and secrets."""
        if isinstance(value, dict):
            if key == "payload" and isinstance(value.get("data"), str):
                # A secret's value, in base64.
                self._replaced.add(value["data"])
                checksum = {"dataCrc32c": _REDACTED_CRC32C} if "dataCrc32c" in value else {}
                value = {**value, "data": _REDACTED_BYTES, **checksum}
            if set(value) == {"base64"}:
                return {"base64": base64.b64encode(self._bytes(base64.b64decode(value["base64"]))).decode()}
            return {self._text(name): self.clean(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item, key) for item in value]
        if not isinstance(value, str):
            return value
        if value and (key in _SECRET_FIELDS or key.lower() in _SECRET_FIELDS):
            self._replaced.add(value)
            return _REDACTED
        return self._text(value)

    def leaks(self, text: str) -> Iterator[str]:
        """Yields every text in a recording that should have been replaced, or looks like a secret or an address."""
        packed = b"".join(base64.b64decode(found) for found in _BASE64.findall(text))
        for literal in (*self.literals, *self._replaced):
            if len(literal) > 5 and (literal in text or literal.encode() in packed):
                yield f"something that was to be replaced: {literal[:3]}…"
        for name, pattern in _SECRET_VALUES.items():
            if pattern.search(text):
                yield name
        yield from (f"mail address …{mail[-12:]}" for mail in _MAIL.findall(text) if not _SERVICE_MAIL.search(mail))
        yield from (f"address {found}" for found in _IPV4.findall(text) if found not in _HARMLESS_ADDRESSES)
        yield from (f"address {found}" for found in _IPV6.findall(text) if not found.lower().startswith("2001:db8:"))

    def _text(self, text: str) -> str:
        for literal in sorted(self.literals, key=len, reverse=True):
            text = text.replace(literal, self.literals[literal])
        for pattern in _SECRET_VALUES.values():
            text = pattern.sub(self._redact, text)
        text = _MAIL.sub(lambda match: match[0] if _SERVICE_MAIL.search(match[0]) else "user@example.com", text)
        text = _IPV4.sub(lambda match: match[0] if match[0] in _HARMLESS_ADDRESSES else "192.0.2.1", text)
        text = _IPV6.sub("2001:db8:0:0:0:0:0:1", text)
        text = _NUMBER.sub(self._made_up(lambda digest, length: f"{1 + digest % 9}{digest}"[:length]), text)
        return _UUID.sub(self._made_up(_uuid), text)

    def _bytes(self, data: bytes) -> bytes:
        """Replaces only the literals in bytes that are not text, because numbers in them have no known meaning."""
        for literal in sorted(self.literals, key=len, reverse=True):
            data = data.replace(literal.encode(), self.literals[literal].encode())
        return data

    def _redact(self, match: re.Match[str]) -> str:
        self._replaced.add(match[0])
        return _REDACTED

    def _made_up(self, form: Callable[[int, int], str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            self._replaced.add(match[0])
            digest = int(hashlib.sha256(self._salt + match[0].encode()).hexdigest(), 16)
            return form(digest, len(match[0]))

        return replace


def _uuid(digest: int, _: int) -> str:
    text = f"{digest:064x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))
