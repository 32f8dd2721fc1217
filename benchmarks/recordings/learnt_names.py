"""Names that a service generates: learnt from its answers, and inserted in later requests."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

# Placeholders, `${name}`, and generated names in a recording without placeholders: long numbers, hashes, operations.
NAME = re.compile(
    r"\$\{(\w+)\}|(?<=\boperations/)\w[\w.-]*|(?<![0-9A-Za-z.])\d{12,21}(?![0-9A-Za-z.])"
    r"|\b[0-9a-f]{40}\b|\b[0-9a-f]{64}\b"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
# Tokens that later requests repeat unchanged.
_TOKENS = ("nextPageToken", "rewriteToken")
_ANY_NAME = r"([^/@:?&\s\"]+)"


class LearntNames:
    """`given`: values of placeholders that are known at the start, such as the project's."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = dict(given)
        self._names: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._etags: dict[str, str] = {}
        self.last_etag = ""

    def fill(self, text: str) -> str:
        """`text` with all known names inserted; unknown placeholders stay."""
        for recorded, actual in self._tokens.items():
            text = text.replace(recorded, actual)
        return NAME.sub(lambda match: self._known(match) or match[0], text)

    def has_unknown(self, text: str) -> bool:
        """Whether the text has a placeholder, or a page token, without a known value."""
        if any(token not in self._tokens for token in re.findall(r"[?&]pageToken=([^&]+)", text)):
            return True
        return any(match[1] and self._known(match) is None for match in NAME.finditer(text))

    def learn(self, recorded: Any, actual: Any, key: str = "") -> None:
        """Learns names from an answer and the corresponding recorded answer."""
        if isinstance(recorded, dict) and isinstance(actual, dict):
            for name in recorded.keys() & actual.keys():
                self.learn(recorded[name], actual[name], name)
        elif isinstance(recorded, list) and isinstance(actual, list):
            for one, other in zip(recorded, actual, strict=False):
                self.learn(one, other, key)
        elif isinstance(recorded, str) and isinstance(actual, str) and recorded != actual:
            self._learn_text(recorded, actual, key)

    def remember_etag(self, resource: str, answer: Any) -> None:
        """Notes the etag of the URL `resource` (without an action): later writes must send the latest etag."""
        for holder in (answer, answer.get("response")) if isinstance(answer, dict) else ():
            if isinstance(holder, dict) and isinstance(holder.get("etag"), str):
                self._etags[resource] = self.last_etag = holder["etag"]

    def with_current_etag(self, body: Any, resource: str) -> Any:
        """A copy of `body` with recorded etags replaced by this service's etags."""
        if isinstance(body, list):
            return [self.with_current_etag(item, resource) for item in body]
        if not isinstance(body, dict):
            return body
        current = self._etags.get(resource) or self.last_etag
        replaced = {name: self.with_current_etag(value, resource) for name, value in body.items() if name != "etag"}
        return {**replaced, **({"etag": current} if "etag" in body and current else {})}

    def _learn_text(self, recorded: str, actual: str, key: str) -> None:
        if key in _TOKENS:
            self._tokens |= {recorded: actual, quote(recorded, safe=""): quote(actual, safe="")}
        elif key in ("generation", "sha"):
            self._names[recorded] = actual
        elif key != "etag" and not _TIME.match(recorded):
            self._align(recorded, actual)

    def _align(self, recorded: str, actual: str) -> None:
        pattern, names, end = "", [], 0
        for match in NAME.finditer(recorded):
            if match[1] in self.given:
                continue
            pattern += re.escape(self._given(recorded[end : match.start()])) + _ANY_NAME
            names.append(match[0])
            end = match.end()
        found = re.fullmatch(pattern + re.escape(self._given(recorded[end:])), actual) if names else None
        if found:
            self._names.update(zip(names, found.groups(), strict=True))

    def _given(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda match: self.given.get(match[1], match[0]), text)

    def _known(self, match: re.Match[str]) -> str | None:
        return self.given.get(match[1] or "") or self._names.get(match[0])
