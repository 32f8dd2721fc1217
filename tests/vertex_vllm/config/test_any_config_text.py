"""Any text is a deployment, or faults with file and line."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.config.deployment import Model
from vertex_vllm.errors import ConfigError


def sections(value: dict[str, Any], at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    nested = [path for key, part in value.items() if isinstance(part, dict) for path in sections(part, (*at, key))]
    return [at, *nested]


FULL = Deployment(name="llama", model=Model(id="meta-llama/Llama-3.1-8B")).model_dump(mode="json")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30),
    st.sampled_from(["g2-standard-12", "NVIDIA_L4", "us-central1", "hf-token", "a/b", "llama", "--swap-space=16"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner), max_leaves=6
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A whole config, with values of any kind put at, beside and in place of its fields."""
    config: dict[str, Any] = yaml.safe_load(yaml.safe_dump(FULL))
    for _ in range(draw(st.integers(1, 3))):
        section = config
        for key in draw(st.sampled_from(sections(config))):
            section = section[key] if isinstance(section.get(key), dict) else section
        known = draw(st.sampled_from(sorted(map(str, section)) or ["name"]))
        key = draw(st.one_of(st.just(known), st.just(known[:-1] or "x"), st.text(max_size=8)))
        section[key] = draw(VALUES)
    return yaml.safe_dump(config, allow_unicode=True)


def deployment_or_faults(path: Path) -> Deployment | tuple[str, ...]:
    try:
        return load_deployment(path)
    except ConfigError as error:
        return tuple(map(str, error.faults))


@given(text=st.one_of(mutated(), st.text(max_size=60), st.text("{}[]:-*&!%@`|>\n\t 'x\"", max_size=60)))
def test_any_text_is_a_deployment_or_faults_that_name_file_and_line(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    outcome = deployment_or_faults(path)
    if isinstance(outcome, Deployment):
        assert Deployment.model_validate(outcome.model_dump()) == outcome
        return
    assert outcome
    lines = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))
    for fault in outcome:
        match = re.match(rf"{re.escape(str(path))}:(\d+): \S", fault)
        assert match, fault
        assert 1 <= int(match[1]) <= lines
