"""Whether the image's vLLM has a model's quantisation method, and accepts the format of its weights."""

from collections.abc import Iterator

from vertex_vllm.catalog import Catalog
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.image_choice import ImageChoice

# Methods whose formats the catalogue lists one by one: another one is refused. Of compressed-tensors it lists limits.
_LISTED = ("modelopt", "awq", "gptq")


def lacking_methods(
    facts: ModelFacts, image: ImageChoice, catalog: Catalog, asked: str = ""
) -> Iterator[tuple[str, bool]]:
    """A refusal for each method or format that the image's vLLM lacks, and whether it is certain.

    `asked` is the value of --quantization: a method for weights that have none.

    vLLM `_verify_quantization` ("Unknown quantization method"); of a format its own class says so.
    """
    method = facts.quantization or asked
    if method in ("", "None"):
        return
    lacking, always = catalog.versions_without(method, image.versions)
    always = always and image.versions is not None
    if lacking:
        yield f"{_who(image, lacking, always)} no quantisation method {method}", always
        return
    listed = next((name for name in _LISTED if facts.quantization.startswith(name)), "")
    if not listed:
        return
    if not facts.quantization_scheme:
        if listed == "modelopt" and facts.quantization_file:
            yield f"{facts.quantization_file} does not name ModelOpt's algorithm (quant_algo)", False
        return
    lacking, always = catalog.versions_without(f"{listed}/{facts.quantization_scheme}", image.versions)
    always = always and image.versions is not None
    if lacking:
        yield f"{_who(image, lacking, always)} no {listed} weights of format {facts.quantization_scheme}", always


def _who(image: ImageChoice, lacking: tuple[str, ...], always: bool) -> str:
    if always:
        return f"{image.vllm} knows"
    told = lacking[0] if len(lacking) == 1 else f"{lacking[0]} to {lacking[-1]}"
    return f"vLLM {told}, which the image may have, knows"
