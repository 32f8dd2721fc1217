"""Pages of HTML that need nothing besides themselves, all in one style."""

from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from vertex_vllm.plain_text import plain
from vertex_vllm.redaction import redact

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def page_environment(package: str) -> "Environment":
    """Templates of `package` and the page that they extend, `page.html`. What they are given is redacted and escaped.

    One environment a package: it keeps the templates that it has compiled.
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
    """Jinja escapes a value after this: a secret and a control character are found while they are not escaped yet."""
    return plain(redact(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
