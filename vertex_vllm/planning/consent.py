"""Code that serving a model would run besides vLLM's own: what needs the config's consent, and what it cannot have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from vertex_vllm.errors import PlanError
from vertex_vllm.planning.facts import ModelFacts
from vertex_vllm.planning.settings import WHERE, Argument, Settings

FIELD = "serving.trust_remote_code"


@dataclass(frozen=True)
class CodeFlag:
    """An option that runs code, or reads another repository or file than the mirrored weights."""

    flag: str
    does: str
    kind: Literal["code", "repository"]


def check_consent(facts: ModelFacts, settings: Settings, extra: Sequence[Argument]) -> None:
    """Raises PlanError for code that the config does not consent to, and for code of another repository."""
    if facts.foreign_code:
        raise PlanError(
            f"{facts.model_id} would run Python code of another repository, {', '.join(facts.foreign_code)}, whose "
            "revision nobody pins",
            where="model.id",
            fix="Choose a repository that holds its own code, or none",
        )
    if settings.trust_remote_code:
        return
    if facts.custom_code:
        raise PlanError(
            f"{facts.model_id} brings Python code of its own, which serving it would run",
            where=FIELD,
            fix="Read the code at this commit, and set it to true if you trust it",
        )
    for argument in extra:
        if (row := code_flags().get(argument.flag)) is not None and row.kind == "code":
            raise PlanError(
                f"{argument.flag} {row.does}",
                where=WHERE,
                fix=f"Leave it out, or set {FIELD} to true if you trust what it names",
            )


def code_told(facts: ModelFacts, settings: Settings, extra: Sequence[Argument]) -> str:
    """Code that the container runs besides vLLM's own, or may run; empty: none."""
    told = []
    if facts.custom_code and settings.trust_remote_code:
        told.append("the repository's own Python code is run")
    told += [f"{argument.flag} {row.does}" for argument in extra if (row := code_flags().get(argument.flag))]
    if facts.pickled:
        told.append("the weights are pickled: a format that can run code while it is loaded")
    return "; ".join(told)


@cache
def code_flags() -> dict[str, CodeFlag]:
    text = files("vertex_vllm.planning").joinpath("code_flags.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["flags"]
    return {row["flag"]: CodeFlag(row["flag"], row["does"], row["kind"]) for row in rows}
