"""Facts of a model, read from its repository without downloading a weight."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.access import look_up
from vertex_vllm.hub.chat_template import chat_template_of
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import list_files
from vertex_vllm.model.card_licence import CardLicence
from vertex_vllm.model.code_references import CONFIGS, code_references, foreign_repositories
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.file_reader import AnyFile, FileReader
from vertex_vllm.model.mistral_params import FILE as PARAMS
from vertex_vllm.model.mistral_params import config_from_params
from vertex_vllm.model.model_config import config_dtype, facts_from_config
from vertex_vllm.model.pooling import pooling_reason
from vertex_vllm.model.quantization import AWQ_FILE, FLAGGED_FILE, MODELOPT_FILE, flagged_of
from vertex_vllm.model.repository_kind import (
    ADAPTER_CONFIG,
    CONSOLIDATED,
    check_kind,
    check_mlx,
    is_mistral_common,
    mistral_parts,
    other_formats,
)
from vertex_vllm.model.safetensors import Weights, read_tensors, weights_of
from vertex_vllm.model.shard_index import tensor_doubts
from vertex_vllm.model.tokenizer_files import tokenizer_kind
from vertex_vllm.model.untrusted_json import parse_json
from vertex_vllm.model.weight_files import read_index, unnamed_shards, weight_files
from vertex_vllm.retries import saying_what_lasts

# Bytes. The longest tokenizer_config.json known, with all its added tokens, has 2 MB.
_LONGEST_JSON = 32 << 20
# Types that weights have only when several numbers, or numbers of 8 bits, are packed into them.
PACKED_TYPES = frozenset(("I32", "U32", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4"))


def read_facts(model_id: str, commit: str, token: str | None) -> ModelFacts:
    """Facts of the model at `commit`: from config.json, the tokenizer's config, and the headers of safetensors files.

    Raises PlanError naming the file and field that cannot be used, HubAccessError and ServiceError as `check_access`.
    """
    listing = list_files(model_id, commit, token)
    found = look_up(model_id, commit, token)
    with RepoReader(model_id, commit, token) as reader, saying_what_lasts(f"reading {model_id} from the Hub"):
        return facts_from_files(
            reader,
            listing,
            model_id=model_id,
            commit=commit,
            gated=found.gated,
            licence=found.licence,
            source="Hub",
        )


def facts_from_files(
    reader: FileReader[AnyFile],
    listing: Sequence[AnyFile],
    *,
    model_id: str,
    commit: str,
    gated: bool,
    licence: CardLicence,
    source: str,
) -> ModelFacts:
    """Facts from a model's files, on the Hub or in a bucket. Raises PlanError naming the file and field."""
    check_kind(listing, _read_json(reader, listing, ADAPTER_CONFIG))
    config = _read_json(reader, listing, "config.json")
    if config is None and is_mistral_common(listing):
        config = config_from_params(_read_json(reader, listing, PARAMS) or {})
    if config is None:
        others = other_formats(listing)
        raise PlanError(
            f"the repository does not have this file{f'; it holds {others}' if others else ''}",
            where="config.json",
            fix="Choose one that transformers can load.",
            missing=("config.json",),
        )
    check_mlx(config)
    index = read_index(reader, listing)
    chosen = weight_files(listing, frozenset(index.values()))
    held = read_tensors(reader, chosen) if chosen[0].path.endswith(".safetensors") else {}
    tokenizer_config = _read_json(reader, listing, "tokenizer_config.json") or {}
    chats, marks = chat_template_of(reader, listing, tokenizer_config, lambda path: _read_json(reader, listing, path))
    facts = facts_from_config(
        config,
        model_id=model_id,
        commit=commit,
        weights=weights_of(held) if held else _pickled_weights(chosen, config),
        chat_template=chats,
        gated=gated,
        modelopt=_read_json(reader, listing, MODELOPT_FILE),
        flagged=flagged_of(_read_json(reader, listing, FLAGGED_FILE), _read_json(reader, listing, AWQ_FILE)),
    )
    code = [reference for name in CONFIGS for reference in code_references(_read_json(reader, listing, name) or {})]
    return replace(
        facts,
        license=", ".join(licence.ids),
        license_name=licence.name,
        license_link=licence.link,
        source=source,
        custom_code=bool(code),
        foreign_code=foreign_repositories(iter(code)),
        pooling=pooling_reason(facts.architecture, _modules(reader, listing)),
        tokenizer=tokenizer_kind(listing),
        tokenizer_class=str(tokenizer_config.get("tokenizer_class") or ""),
        mistral_common=is_mistral_common(listing),
        mistral_parts=mistral_parts(listing),
        chat_marks=marks,
        pickled=not held,
        doubts=(
            *facts.doubts,
            *_other_repositories(config),
            *_packed(facts),
            *_format_doubts(listing),
            *_shard_doubts(chosen),
            *_index_doubts(index, held, listing),
        ),
    )


def _other_repositories(config: Mapping[str, object]) -> Iterator[str]:
    """Other repositories that a config.json takes weights from; the container does not reach the Hub."""
    for key in ("text_model_id", "audio_model_id", "mm_vision_tower"):
        named = config.get(key)
        if isinstance(named, str) and "/" in named and named.isprintable():
            yield f"config.json takes weights from another repository, {named[:100]} ({key})"


def _packed(facts: ModelFacts) -> Iterator[str]:
    """A fault if tensors have types of quantised models, and no file names the method."""
    packed = sorted({group.dtype for group in facts.groups} & PACKED_TYPES)
    if packed and not facts.quantization:
        yield f"tensors are stored as {', '.join(packed)}, and no file names the quantisation method"


def _format_doubts(listing: Sequence[AnyFile]) -> Iterator[str]:
    if is_mistral_common(listing) and not any(fnmatchcase(file.path, CONSOLIDATED) for file in listing):
        yield (
            f"vLLM's mistral format reads {CONSOLIDATED}, and the repository has none; --config-format=hf with "
            "--load-format=auto would read its other weights"
        )


_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.(safetensors|bin)")


def _shard_doubts(chosen: Sequence[AnyFile]) -> Iterator[str]:
    """A doubt for each series, `model-00001-of-00002`, that has gaps, as an interrupted upload leaves it."""
    series: dict[tuple[str, int], int] = {}
    for file in chosen:
        if found := _SHARD.fullmatch(file.path):
            series[found[1], int(found[3])] = series.get((found[1], int(found[3])), 0) + 1
    for (name, told), there in series.items():
        if there < told:
            yield f"{name}-*-of-{told:05} has {there} of {told} files"


def _modules(reader: FileReader[AnyFile], listing: Sequence[AnyFile]) -> Sequence[object] | None:
    """modules.json of sentence-transformers, which is a list; None without one."""
    file = next((file for file in listing if file.path == "modules.json"), None)
    if file is None or file.size > _LONGEST_JSON:
        return None
    try:
        parsed = json.loads(reader.read(file))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, list) else None


def _index_doubts(
    index: Mapping[str, str], held: Mapping[str, Collection[str]], listing: Sequence[AnyFile]
) -> Iterator[str]:
    if held and frozenset(index.values()) <= held.keys():
        yield from tensor_doubts(index, held)
    if unnamed := unnamed_shards(listing, frozenset(index.values())):
        yield f"the index leaves out {', '.join(unnamed[:3])}"


def _pickled_weights(files: Sequence[AnyFile], config: Mapping[str, object]) -> Weights:
    """Pickled weights have no header: the size of their files is used, which is too large by less than 0.1 %."""
    stored_bytes = sum(file.size for file in files)
    return Weights(stored_bytes // (4 if config_dtype(config) in ("", "float32") else 2), stored_bytes, "")


def _read_json(reader: FileReader[AnyFile], listing: Sequence[AnyFile], path: str) -> dict[str, object] | None:
    file = next((file for file in listing if file.path == path), None)
    if file is None:
        return None
    if file.size > _LONGEST_JSON:
        raise PlanError(f"has {file.size} bytes, too many for a {path}", where=path)
    return parse_json(reader.read(file), path)
