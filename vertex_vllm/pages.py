"""Pages of HTML without outside references, all in one style."""

from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from vertex_vllm.plain_text import plain
from vertex_vllm.redaction import redact

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def page_environment(package: str) -> "Environment":
    """Templates of `package`, and the page that they extend, `page.html`. Every value in them is redacted and escaped.

    One environment per package, which caches its compiled templates.
    """
    # Imported here, because only commands that render a page need templates.
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("vertex_vllm")]),
        autoescape=True,
        finalize=_masked,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _masked(value: Any) -> Any:
    """The value without secrets and control characters, removed here because Jinja escapes the result afterwards."""
    return plain(redact(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
