"""Code that serving a model would run besides vLLM's own: which needs the config's consent, and which is refused."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from vertex_vllm.errors import PlanError
from vertex_vllm.model.code_references import code_references, foreign_repositories
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.command_line import WHERE, Argument, effective_values
from vertex_vllm.planning.settings import Settings

FIELD = "serving.trust_remote_code"
_PICKLED = "mirror.pickled_weights"
# Options whose JSON may name Python code of a repository, as an `auto_map` does.
_MAPPING = ("--hf-overrides", "--mm-processor-kwargs")
_DEEPEST = 32


@dataclass(frozen=True)
class CodeFlag:
    """An option that runs code, or reads another repository or file than the mirrored weights. See code_flags.yaml."""

    flag: str
    does: str
    harmless: Literal["never", "values", "keys", "but_keys", "references", "always"]
    values: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def needs_consent(self, value: str) -> bool:
        if self.harmless in ("never", "always"):
            return self.harmless == "never"
        if self.harmless == "values":
            return value not in self.values
        parsed = _object(value)
        if parsed is None:
            # `-O3` and the like, and words that vLLM itself refuses.
            return self.harmless != "but_keys"
        if self.harmless == "keys":
            return not set(parsed) <= set(self.values)
        if self.harmless == "but_keys":
            return any(key in parsed and parsed[key] not in self.values for key in self.keys)
        return _refers(parsed)


def check_consent(facts: ModelFacts, settings: Settings, extra: Sequence[Argument]) -> None:
    """Raises PlanError for code that the config does not consent to, and for code of another repository."""
    if facts.foreign_code:
        raise PlanError(
            f"{facts.model_id} would run Python code of another repository, {', '.join(facts.foreign_code)}, whose "
            "revision nobody pins",
            where="model.id",
            fix="Choose a repository that holds its own code, or none",
        )
    values = effective_values(extra)
    for flag in _MAPPING:
        if foreign := foreign_repositories(code_references(_object(values.get(flag, "")) or {})):
            raise PlanError(
                f"{flag} names Python code of another repository, {', '.join(foreign)}, whose revision nobody pins",
                where=WHERE,
                fix="Leave it out, or choose a repository that holds its own code",
            )
    if settings.trust_remote_code:
        return
    if facts.custom_code:
        raise PlanError(
            f"{facts.model_id} brings Python code of its own, which serving it would run",
            where=FIELD,
            missing=(FIELD,),
            fix="Read the code at this commit, and set it to true if you trust it",
        )
    for flag, value in values.items():
        if (row := code_flags().get(flag)) is not None and row.needs_consent(value):
            raise PlanError(
                f"{flag} {row.does}",
                where=WHERE,
                missing=(FIELD,),
                fix=f"Leave it out, or set {FIELD} to true if you trust what it names",
            )


def check_pickled(facts: ModelFacts, consent: str) -> None:
    """Raises PlanError for a model with pickled weights alone, unless `consent`, the config's field, accepts them."""
    if facts.pickled and consent == "refuse":
        raise PlanError(
            f"{facts.model_id} has pickled weights alone, a format that can run code while it is loaded",
            where=_PICKLED,
            fix="Choose a repository with safetensors files, or set it to scanned: the mirror then refuses files that "
            "import anything dangerous",
        )


def code_told(facts: ModelFacts, settings: Settings, extra: Sequence[Argument]) -> str:
    """Code that the container runs besides vLLM's own, or may run; empty: none."""
    told = []
    if facts.custom_code and settings.trust_remote_code:
        told.append("the repository's own Python code is run")
    for flag, value in effective_values(extra).items():
        row = code_flags().get(flag)
        if row is not None and (row.harmless == "always" or row.needs_consent(value)):
            told.append(f"{flag} {row.does}")
    if facts.pickled:
        told.append("the weights are pickled: a format that can run code while it is loaded")
    return "; ".join(told)


@cache
def code_flags() -> dict[str, CodeFlag]:
    text = files("vertex_vllm.planning").joinpath("code_flags.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["flags"]
    return {
        row["flag"]: CodeFlag(
            row["flag"], row["does"], row["harmless"], tuple(row.get("values", ())), tuple(row.get("keys", ()))
        )
        for row in rows
    }


def _object(value: str) -> dict[str, object] | None:
    """A JSON object; None for anything else."""
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _refers(value: object, depth: int = 0) -> bool:
    """Whether JSON names code, or text that may be a repository, a path, or a class of a repository."""
    if depth > _DEEPEST:
        return True
    if isinstance(value, dict):
        return "auto_map" in value or any(_refers(each, depth + 1) for each in value.values())
    if isinstance(value, list):
        return any(_refers(each, depth + 1) for each in value)
    return isinstance(value, str) and ("/" in value or "--" in value)
