"""Differences of an answer from the recorded one. Values that differ in every run are compared only by form."""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
# Values that the service generates or counts.
_VOLATILE = frozenset(
    {
        *("etag", "generation", "uniqueId", "oauth2ClientId", "privateKeyData", "publicKeyData", "uid", "requestId"),
        *("nextPageToken", "rewriteToken", "access_token", "id_token", "expires_in", "scope", "_id", "sha", "xetHash"),
        *("oid", "trackingId", "vertex-ai-pipelines-run-billing-id", "message", "id"),
    }
)
# The order in these lists has no meaning.
_SETS = frozenset({"bindings", "members", "auditConfigs", "includedPermissions", "acl", "defaultObjectAcl"})
# Not compared: whether an operation has ended in its first answer depends on speed; API descriptions are Google's text.
_NOT_COMPARED = re.compile(
    r"^\.(metadata\.)?(done|cancelRequested)$|\.response\.services?(\[\d*\])?\.config|^\.expires_in$"
)
_HEADERS = (
    *("content-type", "content-range", "content-language", "content-encoding", "content-disposition", "location"),
    *("x-goog-hash", "x-goog-metageneration", "x-goog-storage-class", "x-goog-stored-content-encoding"),
    *("x-goog-stored-content-length", "x-goog-generation", "last-modified", "x-repo-commit", "x-linked-size"),
    *("x-linked-etag", "x-error-code", "x-error-message", "www-authenticate", "x-xet-hash", "link"),
    *("content-security-policy", "ratelimit", "ratelimit-policy", "accept-ranges", "cache-control", "etag", "vary"),
)
# Headers whose value is compared, too.
_EXACT_HEADERS = frozenset(
    {
        *("content-range", "content-language", "content-encoding", "content-disposition", "x-goog-hash"),
        *("x-goog-metageneration", "x-goog-storage-class", "x-goog-stored-content-encoding", "x-linked-size"),
        *("x-goog-stored-content-length", "x-error-code", "content-security-policy"),
    }
)
# JSON API answers are never cached: their cache headers come from the front end.
_OF_BYTES_ALONE = frozenset({"accept-ranges", "cache-control", "etag", "vary", "last-modified"})
_EXTRA_HEADERS = ("x-error-code", "location", "content-range", "content-disposition", "x-goog-stored-content-encoding")


@dataclass(frozen=True)
class Difference:
    """`kind`: missing, extra, type, value or length; `path`: `.items[0].name`, or `header content-type`."""

    kind: str
    path: str
    recorded: Any
    answered: Any


class Comparison:
    """`fill` puts learnt names into a recorded text. `ignore`: names of fields that are not compared; `samples`: lists
    of which the first element alone is compared, as the recorded project's are not ours."""

    def __init__(self, fill: Callable[[str], str], ignore: Collection[str], samples: Collection[str]) -> None:
        self._fill, self._ignore, self._samples = fill, frozenset(ignore), frozenset(samples)
        self.found: list[Difference] = []

    def body(self, recorded: Any, answered: Any, path: str = "", key: str = "", *, form_alone: bool = False) -> None:
        if key in self._ignore:
            return
        if _kind(recorded) != _kind(answered):
            self._add("type", path or ".", _kind(recorded), _kind(answered))
        elif isinstance(recorded, dict):
            self._fields(recorded, answered, path, form_alone)
        elif isinstance(recorded, list):
            self._items(recorded, answered, path, key, form_alone)
        elif not form_alone and key not in _VOLATILE and not self._same(recorded, answered):
            self._add("value", path, self._fill(recorded) if isinstance(recorded, str) else recorded, answered)

    def content(self, recorded: Any, answered: bytes) -> None:
        """Compares a body that is not JSON: bytes, XML, text."""
        binary = isinstance(recorded, dict)
        wanted = base64.b64decode(recorded["base64"]) if binary else self._fill(str(recorded or "")).encode()
        if wanted == answered or (not binary and _same_text(wanted.decode(), answered.decode("utf-8", "replace"))):
            return
        self._add("value", "(body)", repr(wanted[:80]), repr(answered[:80]))

    def headers(self, recorded: Mapping[str, str], answered: Mapping[str, str], *, json_api: bool) -> None:
        for name in _HEADERS:
            # Google's front end adds this value of Vary; the services do not.
            if (json_api and name in _OF_BYTES_ALONE) or "X-Origin" in recorded.get(name, ""):
                continue
            wanted, given = recorded.get(name), answered.get(name)
            if wanted is None:
                if given is not None and name in _EXTRA_HEADERS:
                    self._add("extra", f"header {name}", None, given)
            elif given is None:
                self._add("missing", f"header {name}", wanted, None)
            elif not _same_header(name, self._fill(wanted), given):
                self._add("value", f"header {name}", wanted, given)

    def _fields(self, recorded: Mapping[str, Any], answered: Mapping[str, Any], path: str, form_alone: bool) -> None:
        for name, value in recorded.items():
            if name in self._ignore or (path == "" and name in self._samples and name not in answered):
                continue
            if name not in answered:
                if not (name == "nextPageToken" and self._samples):
                    self._add("missing", f"{path}.{name}", value, None)
            else:
                self.body(value, answered[name], f"{path}.{name}", name, form_alone=form_alone)
        for name in answered.keys() - recorded.keys() - self._ignore:
            if not (path == "" and name in self._samples):
                self._add("extra", f"{path}.{name}", None, answered[name])

    def _items(self, recorded: list[Any], answered: list[Any], path: str, key: str, form_alone: bool) -> None:
        if key in _SETS:
            recorded, answered = sorted(recorded, key=self._order), sorted(answered, key=self._order)
        if key in self._samples:
            if recorded and answered:
                self.body(recorded[0], answered[0], f"{path}[]", key, form_alone=True)
            return
        if len(recorded) != len(answered):
            self._add("length", path, len(recorded), len(answered))
        for index, (one, other) in enumerate(zip(recorded, answered, strict=False)):
            self.body(one, other, f"{path}[{index}]", key, form_alone=form_alone)

    def _order(self, item: Any) -> str:
        named = item.get("role", item.get("entity", item)) if isinstance(item, dict) else item
        return self._fill(json.dumps(named, sort_keys=True))

    def _same(self, recorded: Any, answered: Any) -> bool:
        if not isinstance(recorded, str):
            return bool(recorded == answered)
        wanted = self._fill(recorded)
        if wanted == answered or re.fullmatch(r"0{21}|1{21}|8{21}|12345678901234", recorded):
            return True
        if _TIME.match(recorded):
            return bool(_TIME.match(answered))
        links = [re.sub(r"^https?://[^/]+", "", re.sub(r"generation=\d+", "", text)) for text in (wanted, answered)]
        return wanted.startswith("http") and links[0] == links[1]

    def _add(self, kind: str, path: str, recorded: Any, answered: Any) -> None:
        if not _NOT_COMPARED.search(path):
            self.found.append(Difference(kind, path, recorded, answered))


def _same_text(wanted: str, given: str) -> bool:
    """Compares texts for people: only the codes in them must be equal."""
    if wanted.startswith("<?xml"):
        return [_tags(text) for text in (wanted, given)] == [_tags(wanted)] * 2
    if wanted.startswith("--"):
        statuses = [re.findall(r"HTTP/1\.1 (\d+)", text) for text in (wanted, given)]
        return statuses[0] == statuses[1]
    if " Redirecting to " in wanted:
        return wanted.partition(" to ")[0] == given.partition(" to ")[0]
    return len(wanted) < 200 and ("such object" in wanted or "Not Found" in wanted)


def _tags(xml: str) -> tuple[list[str], list[str]]:
    return re.findall(r"<(\w+)[ >]", xml), re.findall(r"<Code>(\w+)", xml)


def _same_header(name: str, wanted: str, given: str) -> bool:
    if name == "content-type":
        return wanted.partition(";")[0].strip() == given.partition(";")[0].strip()
    if name in _EXACT_HEADERS:
        return sorted(wanted.replace(" ", "").split(",")) == sorted(given.replace(" ", "").split(","))
    return True


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    kinds = {dict: "object", list: "list", str: "string", int: "number", float: "number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)
