"""How a repository says that its weights are quantised: method, scheme, and the file that names them.

vLLM looks into config.json (`quantization_config`, `compression_config`, also of the text model), then into
hf_quant_config.json (`get_config` in transformers_utils/config.py). quantize_config.json it reads only when
--quantization names the method.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vertex_vllm.errors import PlanError

CONFIG, MODELOPT_FILE, FLAGGED_FILE = "config.json", "hf_quant_config.json", "quantize_config.json"
# AWQ's file, if config.json names no method; vLLM reads it like quantize_config.json.
AWQ_FILE = "quant_config.json"
_AWQ_BITS = "w_bit"
_SECTIONS = ("quantization_config", "compression_config")


@dataclass(frozen=True)
class Quantized:
    """Empty strings for weights that are not quantised."""

    method: str = ""
    """As vLLM names it, for example `compressed-tensors`."""
    scheme: str = ""
    """Of compressed-tensors after vLLM's class, for example `w8a8_fp8`; of ModelOpt its algorithm, for example `FP8`;
    of AWQ and GPTQ the bits of a weight, for example `w4` or `w4_asym`; empty: none, or an unknown one."""
    file: str = ""


def quantization_of(
    config: Mapping[str, object],
    text: Mapping[str, object],
    modelopt: Mapping[str, object] | None,
    flagged: Mapping[str, object] | None,
) -> Quantized:
    """Method and scheme; `modelopt` and `flagged` are hf_quant_config.json and quantize_config.json, where they exist.

    Raises PlanError for a section of config.json that names no method.
    """
    for part in (config, text):
        for key in _SECTIONS:
            if part.get(key) is not None:
                return _from_section(part[key], f"{CONFIG}: {key}")
    if modelopt is not None and (section := _section(modelopt.get("quantization"))):
        return Quantized(_modelopt(section, "modelopt"), _algorithm(section), MODELOPT_FILE)
    if flagged is not None:
        of_awq = _AWQ_BITS in flagged
        method = str(flagged.get("quant_method") or ("awq" if of_awq else "gptq")).lower()
        return Quantized(method, _bits(method, flagged), AWQ_FILE if of_awq else FLAGGED_FILE)
    return Quantized()


def _from_section(value: object, where: str) -> Quantized:
    section = _section(value)
    method = section.get("quant_method")
    if not isinstance(method, str) or not method.isprintable() or not method:
        if "quant_algo" in section:
            return Quantized(_modelopt(section, "modelopt"), _algorithm(section), CONFIG)
        raise PlanError("does not say how the weights are quantized", where=f"{where}.quant_method")
    name = method.lower().replace("compressed_tensors", "compressed-tensors")
    if name.startswith("modelopt"):
        return Quantized(_modelopt(section, name), _algorithm(section), CONFIG)
    if name == "gptq" and (packed := _packed_for(section)):
        return Quantized(packed, file=CONFIG)
    scheme = _scheme(section) if name == "compressed-tensors" else _bits(name, section)
    return Quantized(name, scheme, CONFIG)


def _modelopt(section: Mapping[str, Any], otherwise: str) -> str:
    """ModelOpt has a method for each algorithm (`override_quantization_method` in modelopt.py)."""
    algorithm = _algorithm(section)
    if "MXFP8" in algorithm:
        return "modelopt_mxfp8"
    if "NVFP4" in algorithm or "FP4" in algorithm:
        return "modelopt_fp4"
    if "MIXED" in algorithm:
        return "modelopt_mixed"
    return "modelopt" if "FP8" in algorithm else otherwise


def _packed_for(section: Mapping[str, Any]) -> str:
    """The method for GPTQ weights that were packed for one kernel (`override_quantization_method`); empty: for none."""
    told = section.get("checkpoint_format")
    if told == "marlin" or section.get("is_marlin_format") is True:
        return "marlin"
    if told == "bitblas" or section.get("is_bitblas_format") is True:
        return "bitblas"
    return "gptq_marlin_24" if told == "marlin_24" else ""


def _algorithm(section: Mapping[str, Any]) -> str:
    inner = _section(section.get("quantization")) or section
    told = inner.get("quant_algo")
    # A name as ModelOpt writes them; anything else is none.
    return told.upper() if isinstance(told, str) and told.isidentifier() else ""


def _bits(method: str, section: Mapping[str, Any]) -> str:
    """Bits of a weight of AWQ or GPTQ, and whether weights are not as most have them: with a zero point, symmetric."""
    bits = section.get("bits", section.get(_AWQ_BITS))
    if method not in ("awq", "gptq") or not isinstance(bits, int) or isinstance(bits, bool):
        return ""
    if method == "awq":
        return f"w{bits}_sym" if section.get("zero_point") is False else f"w{bits}"
    return f"w{bits}_asym" if section.get("sym") is False else f"w{bits}"


def _scheme(section: Mapping[str, Any]) -> str:
    """Scheme of the first group of layers (`CompressedTensorsConfig._get_scheme_from_parts`)."""
    groups = _section(section.get("config_groups"))
    first = _section(next(iter(groups.values()), None))
    weights, inputs = _section(first.get("weights")), _section(first.get("input_activations"))
    bits, kind = weights.get("num_bits"), weights.get("type")
    if kind == "float" and bits == 4:
        micro = weights.get("group_size") == 32
        return ("w4a4_mxfp4" if micro else "w4a4_nvfp4") if inputs else "w4a16_nvfp4"
    if kind == "float" and bits == 8:
        return "w8a8_fp8" if inputs else "w8a16_fp8"
    if kind != "int":
        return ""
    if not inputs:
        return "wna16"
    if bits == 8:
        return "w8a8_int8"
    return "w4a8_fp8" if inputs.get("type") == "float" else "w4a8_int"


def flagged_of(flagged: Mapping[str, object] | None, awq: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """quantize_config.json or, where it is AWQ's, quant_config.json: what vLLM reads with --quantization alone."""
    return awq if flagged is None and awq is not None and _AWQ_BITS in awq else flagged


def _section(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
