"""Chooses a model's parsers of tool calls and thoughts, and gives their arguments if the config asks for tools."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.argument_table import parser_names
from vertex_vllm.catalog.parser_table import TOOLS, FamilyParsers, Kind, marks_of, parser_table
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.command_line import Argument
from vertex_vllm.planning.image_choice import ImageChoice
from vertex_vllm.vllm_versions import VersionRange, version_key

FIELD = "serving.tools"
FLAGS: dict[Kind, str] = {"tools": "--tool-call-parser", "thoughts": "--reasoning-parser"}
AUTO_TOOLS = "--enable-auto-tool-choice"
TEMPLATE = "--chat-template"
# Before this version --reasoning-parser needs a switch beside it (cli_args.py of 0.8.5.post1 and 0.9.0).
_SWITCHED_BEFORE, _SWITCH = "0.9.0", "--enable-reasoning"
_REGISTRY: dict[Kind, str] = {"tools": "tool", "thoughts": "reasoning"}
# A value of --chat-template that is a template, not the path of one.
_INLINE = re.compile(r"[{}\n]")


@dataclass(frozen=True)
class AnswerParsers:
    """The container's arguments for tool calls and thoughts, and the plan's words on them."""

    arguments: tuple[str, ...]
    told: str
    """Sentences for the plan; empty: no parser for the model is known."""
    doubts: tuple[str, ...] = ()


def suitable_parser(
    kind: Kind, facts: ModelFacts, image: ImageChoice, extra: Sequence[Argument] = ()
) -> tuple[FamilyParsers | None, str]:
    """The model's family, and the first of its parsers that every version of the image has; empty: not every one.

    For an image of unknown version, the family's first parser.
    """
    row = parser_table().family(kind, facts.architecture, _marks(facts, extra))
    if row is None:
        return None, ""
    versions = parser_names().versions(image.versions)
    return row, next((name for name in row.parsers if _all_have(kind, name, versions)), "")


def answer_parsers(
    asked: bool, facts: ModelFacts, image: ImageChoice, extra: Sequence[Argument], catalog: Catalog
) -> AnswerParsers:
    """`asked`: the config asks for tools. The config's own arguments win over the family's.

    Raises PlanError where the config asks for tools that the model or the image's vLLM does not support.
    """
    given = {argument.flag for argument in extra}
    tools, tool_parser = suitable_parser("tools", facts, image, extra)
    thoughts, thought_parser = suitable_parser("thoughts", facts, image, extra)
    if not asked:
        return AnswerParsers((), _suggestions(tools, tool_parser, thought_parser, given, facts))
    arguments: list[str] = []
    told: list[str] = []
    doubts: list[str] = []
    if FLAGS["tools"] not in given:
        _check_tools(tools, tool_parser, facts, image, extra, catalog)
        arguments.append(f"{FLAGS['tools']}={tool_parser}")
        told.append(f"tool calls are read by {tool_parser}, as {tools.family if tools else ''} writes them")
        if image.versions is None:
            doubts.append(f"whether {image.vllm} has the tool parser {tool_parser} is not known")
    if AUTO_TOOLS not in given:
        arguments.insert(0, AUTO_TOOLS)
    if thoughts is not None and FLAGS["thoughts"] not in given:
        if thought_parser and image.versions is not None:
            arguments += _switch(image.versions, given)
            arguments.append(f"{FLAGS['thoughts']}={thought_parser}")
            told.append(f"thoughts are separated by {thought_parser}, as {thoughts.family} writes them")
        else:
            told.append(
                f"{image.vllm} may lack a reasoning parser for {thoughts.family}: thoughts stay in the answer, "
                "and tool calls are looked for in them too"
            )
    return AnswerParsers(tuple(arguments), "; ".join(told), tuple(doubts))


def _check_tools(
    row: FamilyParsers | None,
    parser: str,
    facts: ModelFacts,
    image: ImageChoice,
    extra: Sequence[Argument],
    catalog: Catalog,
) -> None:
    """Raises PlanError where the model calls no tools, or where the image's vLLM cannot read the calls."""
    name_one = f"Name a {FLAGS['tools']} in serving.extra_args, or leave tools out"
    template = any(argument.flag == TEMPLATE for argument in extra)
    if not facts.chat_template and not template:
        raise PlanError(
            f"{facts.model_id} has no chat template, so requests cannot offer it tools",
            where=FIELD,
            fix="Choose the model's Instruct version, or leave tools out",
        )
    marks = _marks(facts, extra)
    if row is not None and row.needs and not template:
        raise PlanError(
            f"the chat template of {facts.model_id} ({row.family}) is not made for tools as vLLM offers them",
            where=FIELD,
            fix=f"Write the text of vLLM's examples/{row.needs} as the value of {TEMPLATE} in serving.extra_args",
        )
    if marks is not None and TOOLS not in marks:
        raise PlanError(
            f"the chat template of {facts.model_id} does not read the tools of a request",
            where=FIELD,
            fix=f"Give a {TEMPLATE} that does in serving.extra_args, or leave tools out",
        )
    if row is None:
        raise PlanError(
            f"which parser reads the tool calls of {facts.model_id} ({facts.architecture}) is not known",
            where=FIELD,
            fix=name_one,
        )
    if not parser:
        raise PlanError(
            f"{image.vllm} lacks, or may lack, the tool parser of {row.family}: {' or '.join(row.parsers)}",
            where=FIELD,
            fix=_newer_image(row, facts, catalog) or name_one,
        )


def _newer_image(row: FamilyParsers, facts: ModelFacts, catalog: Catalog) -> str:
    """The newest known image whose every version has the architecture and one of the parsers."""
    architecture = catalog.architectures.get(facts.architecture)
    images = [image for image in catalog.images.values() if image.variant == "gpu" and image.date and image.versions]
    for image in sorted(images, key=lambda image: str(image.date), reverse=True):
        versions = parser_names().versions(image.versions)
        serves = architecture is None or catalog.architecture_presence(architecture, image.versions) == "present"
        if serves and any(_all_have("tools", name, versions) for name in row.parsers):
            return f"Name an image whose vLLM has it in serving.image, for example {image.uri}"
    return ""


def _suggestions(
    tools: FamilyParsers | None, tool_parser: str, thought_parser: str, given: Collection[str], facts: ModelFacts
) -> str:
    """Arguments that a config without tools could set; none for a model that does not chat."""
    told = []
    if not facts.chat_template:
        return ""
    offers = facts.chat_marks is None or TOOLS in facts.chat_marks
    if tool_parser and tools and offers and not tools.needs and FLAGS["tools"] not in given:
        told.append(f"{FIELD}: true would read tool calls, by the parser {tool_parser}")
    if thought_parser and FLAGS["thoughts"] not in given:
        told.append(f"{FLAGS['thoughts']}={thought_parser} in serving.extra_args separates thoughts from the answer")
    return "; ".join(told)


def _switch(versions: VersionRange, given: Collection[str]) -> list[str]:
    old = version_key(versions.latest) < version_key(_SWITCHED_BEFORE)
    return [_SWITCH] if old and _SWITCH not in given else []


def _marks(facts: ModelFacts, extra: Sequence[Argument]) -> Collection[str] | None:
    """Marks of the template that the config gives, or else of the model's own."""
    given = next((argument.value for argument in extra if argument.flag == TEMPLATE), "")
    return marks_of(given) if _INLINE.search(given) else facts.chat_marks


def _all_have(kind: Kind, name: str, versions: Sequence[str]) -> bool:
    return all(name in parser_names().named(_REGISTRY[kind], version) for version in versions)
