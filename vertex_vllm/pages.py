"""Pages of HTML that need nothing besides themselves, all in one style."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def page_environment(package: str) -> "Environment":
    """Templates of `package` and the page that they extend, `page.html`. All that they are given is escaped.

    One environment a package: it keeps the templates that it has compiled.
    """
    # Templates are needed by whoever makes a page, and by no other command.
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("vertex_vllm")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
