"""Pages of a metadata store's list methods, by the comments on their requests.

"Must be in range 1-1000, inclusive. Defaults to 100." "When paginating, all other provided parameters must match the
call that provided the page token. (Otherwise the request will fail with INVALID_ARGUMENT error.)"
"""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.paging import page

M = TypeVar("M", bound=Message)

_LARGEST_PAGE, _USUAL_PAGE = 1000, 100


def metadata_page(messages: Sequence[M], request: Any) -> tuple[list[M], str]:
    """The page of messages that match the request's filter already, and the next page's token. Raises ApiError."""
    if not 0 <= request.page_size <= _LARGEST_PAGE:
        raise ApiError("INVALID_ARGUMENT", f"page_size must be in range 1-{_LARGEST_PAGE}, inclusive.")
    asked = type(request)()
    asked.CopyFrom(request)
    for field in ("page_size", "page_token"):
        asked.ClearField(field)
    bound = hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()[:16]
    if "filter" in asked.DESCRIPTOR.fields_by_name:
        asked.filter = ""
    asked.page_size, asked.page_token = request.page_size or _USUAL_PAGE, request.page_token
    return page(messages, asked, largest=_LARGEST_PAGE, bound=bound)
