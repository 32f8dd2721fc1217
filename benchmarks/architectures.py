"""A table of the plan's verdicts on public architectures, with the reasons for uncertain verdicts.

    python -m benchmarks.architectures           # writes the table into docs/planning/architectures.md
    python -m benchmarks.architectures --check   # writes nothing; exit code 1 when the page is not current

Each row of architectures.jsonl holds the fields of a config.json as transformers 5.19.0 fills them in by default
(`configuration_*.py`, read on 2026-11-30), which for most is a published model. Weights are as many 16-bit numbers as
the shape has, in one tensor: there is nothing to download.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.model_config import facts_from_config
from vertex_vllm.model.safetensors import Weights
from vertex_vllm.model.transformer import transformer_from_config
from vertex_vllm.planning.memory.weights import parameters
from vertex_vllm.planning.planner import plan_serving

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "planning" / "architectures.md"
BEGIN, END = "<!-- architectures: begin -->", "<!-- architectures: end -->"
BILLION = 10**9


def table() -> str:
    """One row per architecture, in the order of the file."""
    rows = [json.loads(line) for line in (HERE / "architectures.jsonl").read_text(encoding="utf-8").splitlines()]
    head = ["| architecture | numbers, billions | machine | verdict | why not certain |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(config) for config in rows)])


def _row(config: Mapping[str, Any]) -> str:
    facts = facts_of(config)
    size = f"{facts.parameters / BILLION:.1f}"
    deployment = deployment_from_parameters(deployment="table", model_id=facts.model_id)
    try:
        plan = plan_serving(facts, deployment, load_catalog())
    except PlanError as error:
        return f"| {facts.architecture} | {size} | – | refused | {error.message} |"
    known = plan.memory.reasons if plan.memory else ()
    return f"| {facts.architecture} | {size} | {plan.machine_type} | {plan.verdict} | {'; '.join(known)} |"


def facts_of(config: Mapping[str, Any]) -> ModelFacts:
    """Facts of a model with that config, and weights of the size of its shape."""
    shape = transformer_from_config(config)
    counted = parameters(shape, 1)
    numbers = max(1, int(counted.linear + counted.tables))
    model_id = f"public/{config['architectures'][0]}"
    return facts_from_config(
        {"torch_dtype": "bfloat16", **config},
        model_id=model_id,
        commit="0" * 40,
        weights=Weights(numbers, 2 * numbers, "BF16"),
        chat_template=True,
        gated=False,
    )


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    written = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        if written != text:
            print(f"{PAGE.name} is not current: python -m benchmarks.architectures")
        return int(written != text)
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
