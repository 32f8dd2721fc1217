"""vLLM's parsers of a model's tool calls and thoughts, and the plan of a config with `tools`."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.model_repository import read, repository, small, weights
from tests.vertex_vllm.planning import reported_models as models
from tests.vertex_vllm.planning.planned import LLAMA_8B, OTHER, SERVE, plan
from vertex_vllm.catalog.argument_table import argument_table
from vertex_vllm.catalog.parser_table import marks_of, parser_table
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts

L4 = {"machine_type": "g2-standard-8"}
TOOLS = "{% if tools %}{{ tools }}{% endif %}"
HERMES = TOOLS + '<tool_call>{"name": …}</tool_call>'
LLAMA_JSON = TOOLS + "Respond in the format {name, dictionary of argument name and its value}"
OLD, NEW = f"{SERVE}:20250710_0916_RC01", f"{SERVE}:20251205_0916_RC01"


def chatting(architecture: str, template: str) -> ModelFacts:
    """A small text model of a class, with a chat template."""
    return replace(OTHER.reshaped(architecture=architecture), chat_template=True, chat_marks=marks_of(template))


def taken(facts: ModelFacts, **parameters: Any) -> list[str]:
    """The plan's arguments for tool calls and thoughts."""
    named = ("--enable-auto-tool-choice", "--tool-call-parser", "--reasoning-parser", "--enable-reasoning")
    return [text for text in plan(facts, **{**L4, **parameters}).args if text.partition("=")[0] in named]


FAMILIES = [
    ("Qwen2ForCausalLM", HERMES, "hermes", ""),
    ("Qwen3ForCausalLM", HERMES + "</think>", "hermes", "qwen3"),
    ("Qwen2ForCausalLM", HERMES + "</think>", "hermes", "deepseek_r1"),
    ("Qwen3MoeForCausalLM", TOOLS + "<tool_call>\n<function=name>", "qwen3_xml", ""),
    ("LlamaForCausalLM", LLAMA_JSON, "llama3_json", ""),
    ("LlamaForCausalLM", HERMES, "hermes", ""),
    ("MistralForCausalLM", TOOLS + "[AVAILABLE_TOOLS] [TOOL_CALLS]", "mistral", ""),
    ("Glm4MoeForCausalLM", TOOLS + "<tool_call>{function-name}\n<arg_key></think>", "glm45", "glm45"),
    ("GraniteForCausalLM", TOOLS + "<|tool_call|>", "granite", ""),
]


@pytest.mark.parametrize(("architecture", "template", "tools", "thoughts"), FAMILIES)
def test_a_config_that_asks_for_tools_gets_the_family_s_parsers(
    architecture: str, template: str, tools: str, thoughts: str
) -> None:
    reasoning = [f"--reasoning-parser={thoughts}"] if thoughts else []
    expected = ["--enable-auto-tool-choice", f"--tool-call-parser={tools}", *reasoning]
    assert taken(chatting(architecture, template), image=NEW, tools=True) == expected


def test_a_config_that_does_not_ask_is_told_of_the_parsers() -> None:
    decided = plan(chatting("Qwen3ForCausalLM", HERMES + "</think>"), **L4)
    assert "--tool-call-parser=hermes" not in decided.args
    assert decided.reasons["tools"] == (
        "serving.tools: true would read tool calls, by the parser hermes; "
        "--reasoning-parser=qwen3 in serving.extra_args separates thoughts from the answer"
    )


def test_arguments_of_the_config_win_over_the_family_s() -> None:
    facts = chatting("Qwen3ForCausalLM", HERMES + "</think>")
    own = ["--tool-call-parser=xlam", "--reasoning-parser=deepseek_r1"]
    assert taken(facts, tools=True, extra_args=own) == ["--enable-auto-tool-choice", *own]
    assert taken(facts, tools=True, extra_args=["--enable-auto-tool-choice"]) == [
        "--tool-call-parser=hermes",
        "--reasoning-parser=qwen3",
        "--enable-auto-tool-choice",
    ]


def test_a_template_that_the_config_gives_decides() -> None:
    facts = chatting("LlamaForCausalLM", "{{ messages }}")
    assert taken(facts, tools=True, extra_args=[f"--chat-template={HERMES}"]) == [
        "--enable-auto-tool-choice",
        "--tool-call-parser=hermes",
    ]


def test_models_of_the_catalogue_have_a_parser_though_nobody_read_their_template() -> None:
    instruct = replace(LLAMA_8B, chat_template=True)
    assert taken(instruct, tools=True) == ["--enable-auto-tool-choice", "--tool-call-parser=llama3_json"]


def test_an_old_vllm_needs_its_switch_for_thoughts() -> None:
    """--reasoning-parser needed --enable-reasoning until 0.9.0."""
    facts = chatting("Qwen2ForCausalLM", HERMES + "</think>")
    assert taken(facts, tools=True, image=f"{SERVE}:20250506_0916_RC01") == [
        "--enable-auto-tool-choice",
        "--tool-call-parser=hermes",
        "--enable-reasoning",
        "--reasoning-parser=deepseek_r1",
    ]


REFUSED = [
    (LLAMA_8B, {}, "has no chat template", "Instruct"),
    (chatting("LlamaForCausalLM", "{{ messages }}"), {}, "does not read the tools of a request", "--chat-template"),
    (chatting("LlamaForCausalLM", TOOLS), {}, "which parser reads the tool calls of", "--tool-call-parser"),
    (
        chatting("Glm4ForCausalLM", TOOLS + "<arg_key>"),
        {"image": OLD},
        "vLLM 0.9.2 lacks, or may lack, the tool parser of GLM-4.5: glm45 or glm4_moe",
        "Name an image whose vLLM has it",
    ),
    (
        chatting("InternLM2ForCausalLM", TOOLS + "<|action_start|>"),
        {},
        "is not made for tools as vLLM offers them",
        "tool_chat_template_internlm2_tool.jinja",
    ),
]


@pytest.mark.parametrize(("facts", "parameters", "message", "fix"), REFUSED)
def test_tools_that_the_model_or_the_image_cannot_give_are_refused(
    facts: ModelFacts, parameters: dict[str, Any], message: str, fix: str
) -> None:
    with pytest.raises(PlanError) as refused:
        plan(facts, **L4, **parameters, tools=True)
    assert message in str(refused.value)
    assert fix in (refused.value.fix or "")
    assert refused.value.where == "serving.tools"


def test_of_an_image_of_unknown_version_the_parser_is_a_doubt() -> None:
    own = "europe-docker.pkg.dev/acme/images/vllm:1"
    decided = plan(chatting("Qwen2ForCausalLM", HERMES), **L4, image=own, tools=True)
    assert "--tool-call-parser=hermes" in decided.args
    assert "whether an unknown vLLM has the tool parser hermes is not known" in decided.reasons["doubts"]


def test_every_parser_of_the_table_is_in_some_version_s_own_list() -> None:
    table = argument_table()
    registries = {
        kind: {name for version in table.checked for name in table.named(registry, version)}
        for kind, registry in (("tools", "tool"), ("thoughts", "reasoning"))
    }
    unknown = [
        (kind, row.family, name)
        for kind, rows in parser_table().rows.items()
        for row in rows
        for name in row.parsers
        if name not in registries[kind]
    ]
    assert unknown == []


TEMPLATES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"tokenizer_config.json": {"chat_template": HERMES}}, ("<tool_call>", "tools")),
    ({"chat_template.jinja": HERMES + "</think>"}, ("<tool_call>", "</think>", "tools")),
    ({"chat_template.json": {"chat_template": HERMES}}, ("<tool_call>", "tools")),
    (
        {
            "tokenizer_config.json": {
                "chat_template": [
                    {"name": "default", "template": "{{ messages }}"},
                    {"name": "tool_use", "template": HERMES},
                ]
            }
        },
        ("<tool_call>", "tools"),
    ),
    ({"additional_chat_templates/tool_use.jinja": HERMES, "tokenizer_config.json": {}}, ("<tool_call>", "tools")),
    ({"tokenizer_config.json": {"chat_template": "{{ messages }}"}}, ()),
    ({"tokenizer_config.json": {}}, ()),
]


@pytest.mark.parametrize(("files", "marks"), TEMPLATES)
def test_marks_are_read_from_wherever_the_template_is(files: dict[str, Any], marks: tuple[str, ...]) -> None:
    made = [small(path, data if isinstance(data, dict) else data.encode()) for path, data in files.items()]
    tensors = {"model.embed_tokens.weight": ("BF16", (8, 8))}
    facts = read(repository(models.LLAMA_8B, *made, weights(tensors), small("tokenizer.json", b"{}"), tokenizer=False))
    assert sorted(facts.chat_marks or ()) == sorted(marks)
    assert ModelFacts.from_json(facts.to_json()) == facts
