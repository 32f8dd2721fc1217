"""IAM conditions: the part of CEL about the resource of a call and its time.

Source: IAM, "Attribute reference for IAM Conditions". Anything else in an expression is refused when the policy is set,
because the local cloud stores nothing that it does not carry out.
"""

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_TOKENS = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<operator>&&|\|\||!(?!=))|(?P<literal>\b(?:true|false)\b)""",
    re.VERBOSE,
)
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Attributes:
    """Attributes of a call that a condition may use; "" where IAM has no resource for it."""

    name: str = ""
    """`projects/_/buckets/b/objects/o`, `projects/123/secrets/s/versions/1`."""
    type: str = ""
    """`storage.googleapis.com/Object`"""
    service: str = ""
    """`storage.googleapis.com`"""
    time: datetime = datetime(1970, 1, 1, tzinfo=UTC)


def holds(expression: str, call: Attributes) -> bool:
    """Whether the condition is met. Raises ValueError for an expression that is not carried out here."""
    return bool(_evaluate(parse(expression), call))


def check(expression: str) -> None:
    """Raises ValueError for an expression that is not carried out here."""
    holds(expression, Attributes())


def parse(expression: str) -> ast.expr:
    """The expression as Python's syntax tree. Raises ValueError for text that is not an expression."""

    def translate(match: re.Match[str]) -> str:
        text = match.group()
        return text if match.lastgroup == "string" else _PYTHON[text]

    try:
        return ast.parse(_TOKENS.sub(translate, expression).strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"the condition `{expression}` cannot be read: {error.msg}") from error


def _evaluate(node: ast.expr, call: Attributes) -> Any:
    """The value of an expression. Every part is evaluated, so that an unsupported part is always refused."""
    match node:
        case ast.Constant(value=bool() | str() as value):
            return value
        case ast.Attribute(value=ast.Name(id="resource"), attr="name" | "type" | "service" as name):
            return str(getattr(call, name))
        case ast.Attribute(value=ast.Name(id="request"), attr="time"):
            return call.time
        case ast.Call(func=ast.Name(id="timestamp"), args=[ast.Constant(value=str() as text)], keywords=[]):
            return datetime.fromisoformat(text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, call)
        case ast.BoolOp(op=joined, values=parts):
            values = [bool(_evaluate(part, call)) for part in parts]
            return all(values) if isinstance(joined, ast.And) else any(values)
        case ast.Compare(left=left, ops=[compares], comparators=[right]) if type(compares) in _COMPARISONS:
            return _compared(_evaluate(left, call), _evaluate(right, call), type(compares))
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=[argument], keywords=[]) if name in _METHODS:
            return bool(_METHODS[name](str(_evaluate(value, call)), str(_evaluate(argument, call))))
    raise ValueError(
        f"the local cloud does not carry out `{ast.unparse(node)}` in a condition; it knows resource.name, .type, "
        f".service and request.time with comparisons, timestamp(), {', '.join(_METHODS)}, &&, || and !"
    )


def _compared(left: Any, right: Any, compares: type[ast.cmpop]) -> bool:
    if type(left) is not type(right):
        raise ValueError("a condition compares values of different types")
    return _COMPARISONS[compares](left, right)
