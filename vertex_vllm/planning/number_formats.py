"""The number format that a model is computed in on a card, and vLLM's refusals by version."""

from collections.abc import Iterator
from dataclasses import dataclass

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.rows import Accelerator, Limit, Quantization
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.vllm_versions import VersionRange

# CUDA compute capability that bfloat16 needs: vLLM refuses to start below it (platforms/cuda.py, "Bfloat16 is only …").
BFLOAT16_CAPABILITY = (8, 0)
# vLLM `_STR_DTYPE_TO_TORCH_DTYPE`.
_SYNONYMS = {"half": "float16", "float": "float32"}


@dataclass(frozen=True)
class Refusal:
    text: str
    certain: bool
    """Every version that the image may have refuses; False: some do."""


@dataclass(frozen=True)
class Formats:
    """Number formats of one model in one image."""

    facts: ModelFacts
    asked: str
    """Of the config or the arguments: auto, bfloat16, float16, half, float32 or float."""
    quantization: str
    """Method of the stored weights, or the one applied while they load; empty: none."""
    versions: VersionRange | None
    catalog: Catalog

    def computed(self, accelerator: Accelerator) -> str:
        """As vLLM resolves it (`_get_and_verify_dtype`): bfloat16, float16 or float32."""
        if self.asked != "auto":
            return _SYNONYMS.get(self.asked, self.asked)
        supported = ["bfloat16"] if accelerator.capability >= BFLOAT16_CAPABILITY else []
        supported += ["float16", "float32"]
        if self._refusing_float16() == "all":
            supported.remove("float16")
        if self.facts.dtype in supported or not self._falls_back():
            return self.facts.dtype
        return supported[0]

    def refusals(self, accelerator: Accelerator) -> Iterator[Refusal]:
        """Refusals of this format, and of this quantisation, on a card."""
        computed = self.computed(accelerator)
        if computed == "bfloat16" and accelerator.capability < BFLOAT16_CAPABILITY:
            yield Refusal(f"{accelerator.accelerator} cannot compute in bfloat16", True)
        if computed == "float16" and (refusing := self._refusing_float16()) != "none":
            kind = self.facts.model_type if self._names(self.facts.model_type) else self.facts.text_model_type
            yield Refusal(f"{self._who(refusing)} computes no {kind} model in float16", refusing == "all")
        yield from self._of_quantization(accelerator, computed)

    def _of_quantization(self, accelerator: Accelerator, computed: str) -> Iterator[Refusal]:
        rows = [row for name in self._methods() if (row := self.catalog.quantizations.get(name))]
        for row in rows:
            limits, others = row.limits_in(self.versions), self._instead(row)
            low = [each for each in limits if each.numbers and accelerator.capability < _least(each, others)]
            if low:
                needs = " or ".join(dict.fromkeys(_number(_least(each, others)) for each in low))
                text = f"{accelerator.accelerator} has compute capability {accelerator.compute_capability}, "
                text += f"{row.quantization} needs {needs}{self._some(low, limits)}"
                yield Refusal(text, len(low) == len(limits))
                return
            if row.below and accelerator.capability >= tuple(map(int, row.below.split("."))):
                text = f"{accelerator.accelerator} has compute capability {accelerator.compute_capability}"
                # Another kernel may accept the experts' weights.
                certain = not self.facts.shape.experts
                yield Refusal(f"{text}, and vLLM has no kernel of {row.quantization} from {row.below} on", certain)
                return
            other = [each for each in limits if each.dtypes and computed not in _dtypes(each, others, accelerator)]
            if other:
                takes = " or ".join(dict.fromkeys(name for each in other for name in each.dtypes))
                text = f"{row.quantization} weights are computed in {takes}, not in {computed}"
                yield Refusal(f"{text}{self._some(other, limits)}", len(other) == len(limits))
                return

    def _methods(self) -> tuple[str, ...]:
        """The method's row, and that of its scheme."""
        scheme = f"{self.quantization}/{self.facts.quantization_scheme}"
        return (self.quantization, scheme) if self.facts.quantization_scheme else (self.quantization,)

    def _instead(self, row: Quantization) -> tuple[Limit, ...]:
        scheme = self.facts.quantization_scheme
        if row.instead_for and scheme and scheme not in row.instead_for:
            return ()
        other = self.catalog.quantizations.get(row.instead)
        return tuple(each for each in other.limits if self.versions and each.overlaps(self.versions)) if other else ()

    def _names(self, model_type: str) -> bool:
        return any(row for _, row in self.catalog.format_rows(f"without_float16:{model_type}", self.versions))

    def _refusing_float16(self) -> str:
        """all, some or none of the image's versions."""
        kinds = {self.facts.model_type, self.facts.text_model_type} - {""}
        found = [self.catalog.format_rows(f"without_float16:{kind}", self.versions) for kind in kinds]
        by_version = [any(row for _, row in rows) for rows in zip(*found, strict=True)]
        return "all" if by_version and all(by_version) else "some" if any(by_version) else "none"

    def _falls_back(self) -> bool:
        return all(row for _, row in self.catalog.format_rows("auto_dtype", self.versions))

    def _who(self, refusing: str) -> str:
        return f"vLLM {self.versions}" if refusing == "all" and self.versions else "some of the image's vLLM versions"

    def _some(self, found: list[Limit], limits: tuple[Limit, ...]) -> str:
        if len(found) == len(limits) and self.versions:
            return f" in vLLM {self.versions}"
        return f" in vLLM {found[0].first} to {found[-1].last}"


def _least(limit: Limit, others: tuple[Limit, ...]) -> tuple[int, ...]:
    return min([limit.numbers, *(each.numbers for each in others if each.numbers)])


def _dtypes(limit: Limit, others: tuple[Limit, ...], accelerator: Accelerator) -> set[str]:
    """Formats of the method, and of the method that vLLM changes to on a card that supports it."""
    able = [each for each in others if accelerator.capability >= each.numbers]
    return {name for each in (limit, *able) for name in each.dtypes}


def _number(capability: tuple[int, ...]) -> str:
    return ".".join(map(str, capability))
