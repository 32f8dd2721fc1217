"""The conditions of `dsl.If`, `dsl.Elif` and `dsl.Else`: the part of CEL that the KFP compiler writes.

kfp.local pastes values into the expression's text, so that a quote in a value skips the branch without an error. Here
values are only ever compared.
"""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKENS = re.compile(
    r"""inputs\.parameter_values\['(?P<parameter>[^']+)'\]
      | (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<operator>&&|\|\||!(?!=))
      | (?P<literal>\b(?:true|false)\b)""",
    re.VERBOSE,
)
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}
_CASTS: dict[str, Callable[[Any], Any]] = {"int": int, "double": float, "string": str}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
}


def holds(condition: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a task with this `triggerPolicy.condition` and these input parameters is triggered.

    Raises ValueError when the condition is not of the kind that the KFP compiler writes, or lacks a parameter.
    """
    values: list[Any] = []

    def translate(match: re.Match[str]) -> str:
        kind, text = str(match.lastgroup), match.group(str(match.lastgroup))
        if kind == "parameter":
            if text not in parameters:
                raise ValueError(f"the condition `{condition}` has no value for {text}")
            values.append(parameters[text])
            return f"value_{len(values) - 1}"
        return text if kind == "string" else _PYTHON[text]

    try:
        expression = ast.parse(_TOKENS.sub(translate, condition).strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"the condition `{condition}` cannot be read: {error.msg}") from error
    return bool(_evaluate(expression, {f"value_{index}": value for index, value in enumerate(values)}))


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, values)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, values)
        case ast.BoolOp(op=ast.And(), values=operands):
            return all(_evaluate(operand, values) for operand in operands)
        case ast.BoolOp(op=ast.Or(), values=operands):
            return any(_evaluate(operand, values) for operand in operands)
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARISONS:
            return _COMPARISONS[type(operator)](_evaluate(left, values), _evaluate(right, values))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _CASTS:
            return _CASTS[name](_evaluate(argument, values))
    raise ValueError(f"`{ast.unparse(node)}` is not a condition that the KFP compiler writes")
