"""When an answer is right: the kinds of checks a suite may name. A check is data; no code of a suite is ever run."""

import json
import re
from typing import Annotated, Any, Literal, Self

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from vertex_vllm.evaluation.quality import contains, is_exact, normalise
from vertex_vllm.evaluation.suites.answer_reading import last_number, named_option

MOST_CHARACTERS = 20_000
"""Characters of an answer that a check reads; a longer answer is wrong in every kind but `includes`."""
_PATTERN_BYTES = 1 << 20
_FENCE = re.compile(r"^(```|~~~)[\w+-]*\s*\n(.*)\1$", re.DOTALL)

Text = Annotated[str, Field(min_length=1, max_length=2000)]


def _has_words(text: str) -> str:
    if not normalise(text):
        raise ValueError("has neither letters nor digits, which alone are compared. Use a regex or form check for it")
    return text


Words = Annotated[Text, AfterValidator(_has_words)]


class Part(BaseModel):
    """Base of all parts of a suite: unknown fields are refused, and values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Exact(Part):
    """The normalised answer is one of `accepted`: nothing missing, nothing added."""

    kind: Literal["exact"]
    accepted: list[Words] = Field(min_length=1)

    def right(self, answer: str) -> bool:
        return is_exact(answer, self.accepted)

    @property
    def expected(self) -> str:
        return " or ".join(self.accepted[:4])


class Includes(Part):
    """The normalised answer contains each of `all_of` and at least one of `any_of` as whole words."""

    kind: Literal["includes"]
    all_of: list[Words] = []
    any_of: list[Words] = []

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.all_of and not self.any_of:
            raise ValueError("name at least one text in all_of or any_of")
        return self

    def right(self, answer: str) -> bool:
        answer = answer[:MOST_CHARACTERS]
        return all(contains(answer, [text]) for text in self.all_of) and (
            not self.any_of or contains(answer, self.any_of)
        )

    @property
    def expected(self) -> str:
        any_of = f"one of {', '.join(self.any_of)}" if self.any_of else ""
        return " and ".join(filter(None, [", ".join(self.all_of), any_of])) + " in it"


class Regex(Part):
    """The whole answer, without blanks at its ends, matches an RE2 pattern: linear in the answer's length."""

    kind: Literal["regex"]
    pattern: Text

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        _compiled(pattern)
        return pattern

    def right(self, answer: str) -> bool:
        return len(answer) <= MOST_CHARACTERS and _compiled(self.pattern).fullmatch(answer.strip()) is not None

    @property
    def expected(self) -> str:
        return f"a match of {self.pattern}"


class Choice(Part):
    """Multiple choice. The prompt shows `options` as A, B, …; the letter, or the text of the right one, is right."""

    kind: Literal["choice"]
    options: list[Text] = Field(min_length=2, max_length=10)
    right_option: int = Field(ge=0, description="Index of the right option, from 0.")

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        if self.right_option >= len(self.options):
            raise ValueError(f"right_option must be below {len(self.options)}, the number of options")
        if len({normalise(option) for option in self.options}) < len(self.options):
            raise ValueError("two options are the same")
        return self

    def right(self, answer: str) -> bool:
        return self.chosen(answer) == self.right_option

    def chosen(self, answer: str) -> int | None:
        """Index of the option that an answer names; None where it names none or several."""
        return named_option(answer[:MOST_CHARACTERS], self.options)

    @property
    def expected(self) -> str:
        return f"{chr(ord('A') + self.right_option)}. {self.options[self.right_option]}"

    @property
    def shown(self) -> str:
        """The options as the prompt shows them, one per line."""
        return "\n".join(f"{chr(ord('A') + number)}. {option}" for number, option in enumerate(self.options))


class Number(Part):
    """The last number of the answer is `value`, give or take `tolerance` (same unit) or `relative` (share of it)."""

    kind: Literal["number"]
    value: float
    tolerance: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0, lt=1)

    def right(self, answer: str) -> bool:
        found = last_number(answer) if len(answer) <= MOST_CHARACTERS else None
        if found is None:
            return False
        # Floats: 0.1 + 0.2 written as 0.3 is right.
        room = max(self.tolerance, abs(self.value) * self.relative, abs(self.value) * 1e-9)
        return abs(found - self.value) <= room

    @property
    def expected(self) -> str:
        room = f" ± {self.tolerance:g}" if self.tolerance else f" ± {self.relative:.0%}" if self.relative else ""
        return f"{self.value:.12g}{room}"


class JsonSchema(Part):
    """The answer is JSON, alone or in one fenced block, and valid by a JSON schema (2020-12, patterns by RE2)."""

    kind: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")

    @field_validator("json_schema")
    @classmethod
    def _is_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"is not a JSON schema: {error.message}") from None
        for pattern in _patterns(schema):
            _compiled(pattern)
        for reference in _references(schema):
            _check_reference(reference, schema)
        return schema

    def right(self, answer: str) -> bool:
        text = answer.strip()
        fenced = _FENCE.match(text)
        try:
            if len(text) > MOST_CHARACTERS:
                return False
            told = json.loads(fenced[2] if fenced else text, parse_constant=_refuse_constant)
            _Re2Validator(self.json_schema, registry=Registry()).validate(told)
        except (ValueError, ValidationError, RecursionError, ArithmeticError, Unresolvable):
            return False
        return True

    @property
    def expected(self) -> str:
        return f"JSON by {json.dumps(self.json_schema)[:160]}"


class Form(Part):
    """The form of an answer: counts, letter case, beginnings, ends, texts it must not hold. Unset: any."""

    kind: Literal["form"]
    words: int | None = Field(default=None, ge=1)
    most_words: int | None = Field(default=None, ge=1)
    lines: int | None = Field(default=None, ge=1)
    case: Literal["any", "upper", "lower"] = "any"
    begins: str = ""
    ends: str = ""
    includes: list[Text] = []
    excludes: list[Text] = []

    def right(self, answer: str) -> bool:
        text = answer.strip()
        words, lines = len(text.split()), len([line for line in text.splitlines() if line.strip()])
        return bool(
            text
            and len(text) <= MOST_CHARACTERS
            and self.words in (None, words)
            and (self.most_words is None or words <= self.most_words)
            and self.lines in (None, lines)
            and (self.case == "any" or text == (text.upper() if self.case == "upper" else text.lower()))
            and text.startswith(self.begins)
            and text.endswith(self.ends)
            and all(part.lower() in text.lower() for part in self.includes)
            and not any(part.lower() in text.lower() for part in self.excludes)
        )

    @property
    def expected(self) -> str:
        asked = self.model_dump(exclude={"kind"}, exclude_defaults=True)
        return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in asked.items())


Check = Annotated[Exact | Includes | Regex | Choice | Number | JsonSchema | Form, Field(discriminator="kind")]


def compared(check: Check, answer: str) -> str:
    """The part of an answer that its check reads: a comparison of runs counts answers with the same part as equal."""
    if isinstance(check, Choice) and (option := check.chosen(answer)) is not None:
        return str(option)
    if isinstance(check, Number) and (found := last_number(answer[:MOST_CHARACTERS])) is not None:
        return f"{found:.9g}"
    return " ".join(normalise(answer[:MOST_CHARACTERS]))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _compiled(pattern: str) -> Any:
    """Raises ValueError for a pattern that RE2 refuses or that takes more memory than a pattern may."""
    options = re2.Options()
    options.max_mem = _PATTERN_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"is not an RE2 pattern: {text}") from None


def _by_re2(validator: Any, pattern: str, instance: Any, schema: Any) -> Any:
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"does not match {pattern}")


_Re2Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _by_re2}
)


def _patterns(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for part in schema for found in _patterns(part)]
    if not isinstance(schema, dict):
        return []
    if "patternProperties" in schema:
        raise ValueError("patternProperties is not supported: name the properties")
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    return own + [found for part in schema.values() for found in _patterns(part)]


def _check_reference(reference: str, schema: dict[str, Any]) -> None:
    """Raises ValueError unless the reference is to a part of the schema that is a schema itself."""
    if not reference.startswith("#"):
        raise ValueError("a $ref must stay inside the schema and begin with #")
    resource = DRAFT202012.create_resource(schema)
    try:
        found = Registry().with_resource("", resource).resolver().lookup(reference).contents
    except Unresolvable:
        found = None
    if not isinstance(found, dict | bool):
        raise ValueError(f"$ref {reference} leads to no schema inside of this one")


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for part in schema for found in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema[name] for name in ("$ref", "$dynamicRef") if isinstance(schema.get(name), str)]
    return own + [found for part in schema.values() for found in _references(part)]
