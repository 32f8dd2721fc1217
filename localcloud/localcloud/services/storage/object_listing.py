"""Lists of objects: prefix, delimiter, glob, offsets, versions, pages."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.services.storage import bucket_rows, object_rows, soft_delete
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.object_rows import ObjectRow
from localcloud.services.storage.resources import object_resource
from localcloud.services.storage.storage_errors import invalid


@dataclass(frozen=True)
class Query:
    """A list request. `after`: the key of the previous page's last entry: a name or prefix, and a generation."""

    prefix: str = ""
    delimiter: str = ""
    include_trailing_delimiter: bool = False
    start: str = ""
    stop: str | None = None
    matches: Callable[[str], bool] | None = None
    versions: bool = False
    after: tuple[str, int] = ("", 0)


def list_objects(call: Call, backend: Backend) -> Reply:
    query = _query(call)
    size = call.page_size()
    page: dict[str, Any] = {"kind": "storage#objects"}
    items: list[dict[str, Any]] = []
    prefixes: list[str] = []
    with backend.database.transaction() as transaction:
        bucket_rows.existing_bucket(transaction, call.names["bucket"])
        if call.flag("softDeleted"):
            found = soft_delete.kept(transaction, call.names["bucket"], query.prefix, call.base_url, backend.clock())
            return Reply({**page, **({"items": found[:size]} if found else {})})
        last = ("", 0)
        for key, prefix, row in entries(transaction, call.names["bucket"], query):
            if len(items) + len(prefixes) == size:
                page["nextPageToken"] = encode_page_token(*last)
                break
            last = key
            if prefix:
                prefixes.append(prefix)
            elif row is not None:
                items.append(object_resource(row, call.base_url))
    return Reply({**page, **({"prefixes": prefixes} if prefixes else {}), **({"items": items} if items else {})})


def entries(
    transaction: Transaction, bucket: str, query: Query
) -> Iterator[tuple[tuple[str, int], str, ObjectRow | None]]:
    """The entries of a list, in order: (key, prefix, None) for a group of names, (key, "", object) for an object."""
    name_after, generation_after = query.after
    start = max(query.start, query.prefix, name_after)
    last_prefix = ""
    for row in object_rows.objects_in_order(transaction, bucket, start=start, stop=query.stop, versions=query.versions):
        if not row.name.startswith(query.prefix):
            if row.name > query.prefix:
                return
            continue
        if query.matches is not None and not query.matches(row.name):
            continue
        prefix = _group(row.name, query)
        if prefix and prefix != last_prefix and (prefix, 0) > query.after:
            last_prefix = prefix
            yield (prefix, 0), prefix, None
        is_item = not prefix or (query.include_trailing_delimiter and row.name == prefix)
        if is_item and (row.name, row.generation) > (name_after, generation_after):
            yield (row.name, row.generation), "", row


def encode_page_token(name: str, generation: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([name, generation]).encode()).decode()


def decode_page_token(token: str | None) -> tuple[str, int]:
    """The name and generation in a token. Raises StorageError (400) for a malformed token."""
    if not token:
        return "", 0
    try:
        name, generation = json.loads(base64.urlsafe_b64decode(token))
        return str(name), int(generation)
    except (ValueError, TypeError):
        raise invalid("Invalid argument: pageToken") from None


def glob_matcher(pattern: str) -> Callable[[str], bool]:
    """A function that matches names. `*` and `?` match no slash, `**` does; `[a-z]` and `{a,b}` are as in a shell.

    Source: cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob.
    Raises StorageError (400).
    """
    try:
        compiled = re.compile(_glob_expression(pattern), re.DOTALL)
    except re.error:
        raise invalid(f"Invalid argument: matchGlob {pattern!r}") from None
    return lambda name: compiled.fullmatch(name) is not None


def _query(call: Call) -> Query:
    glob = call.query.get("matchGlob")
    return Query(
        prefix=call.query.get("prefix", ""),
        delimiter=call.query.get("delimiter", ""),
        include_trailing_delimiter=call.flag("includeTrailingDelimiter"),
        start=call.query.get("startOffset", ""),
        # Clients send parameters with empty values: empty means absent.
        stop=call.query.get("endOffset") or None,
        matches=glob_matcher(glob) if glob else None,
        versions=call.flag("versions"),
        after=decode_page_token(call.query.get("pageToken")),
    )


def _group(name: str, query: Query) -> str:
    """The prefix that replaces this name in the list; "" if the list shows the name itself."""
    if not query.delimiter:
        return ""
    end = name.find(query.delimiter, len(query.prefix))
    return name[: end + len(query.delimiter)] if end >= 0 else ""


_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|\{|\}|,|.", re.DOTALL)
_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def _glob_expression(pattern: str) -> str:
    expression, depth = "", 0
    for token in _GLOB_TOKEN.findall(pattern):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if token in _WILDCARDS:
            expression += _WILDCARDS[token]
        elif token == "," and depth:
            expression += "|"
        elif token.startswith("[") and len(token) > 1:
            negated = token[1] in "!^"
            members = token[2 if negated else 1 : -1].replace("\\", "\\\\").replace("[", "\\[")
            expression += f"[{'^' if negated else ''}{members}]"
        else:
            expression += re.escape(token)
    return expression
