"""What a plan needs to know of a model, read from its repository without downloading a weight."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.access import look_up
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.files import AnyFile, FileReader
from vertex_vllm.hub.listing import list_files
from vertex_vllm.hub.model_config import config_dtype, facts_from_config, has_chat_template
from vertex_vllm.hub.safetensors import Weights, read_weights
from vertex_vllm.hub.untrusted import parse_json
from vertex_vllm.hub.weight_files import read_index, weight_files
from vertex_vllm.planning.facts import ModelFacts

# Bytes. The longest tokenizer_config.json known, with all its added tokens, has 2 MB.
_LONGEST_JSON = 32 << 20


def read_facts(model_id: str, commit: str, token: str | None) -> ModelFacts:
    """Facts of the model at `commit`: from config.json, the tokenizer's config, and the headers of safetensors files.

    Raises PlanError naming the file and field that cannot be used, HubAccessError and ServiceError as `check_access`.
    """
    listing = list_files(model_id, commit, token)
    found = look_up(model_id, commit, token)
    with RepoReader(model_id, commit, token) as reader:
        return facts_from_files(
            reader,
            listing,
            model_id=model_id,
            commit=commit,
            gated=found.gated,
            license_name=found.license,
            source="Hub",
        )


def facts_from_files(
    reader: FileReader[AnyFile],
    listing: Sequence[AnyFile],
    *,
    model_id: str,
    commit: str,
    gated: bool,
    license_name: str,
    source: str,
) -> ModelFacts:
    """Facts from a model's files, wherever they lie. Raises PlanError naming the file and field."""
    config = _read_json(reader, listing, "config.json")
    if config is None:
        raise PlanError("the repository has none", where="config.json", fix="Choose one that transformers can load.")
    facts = facts_from_config(
        config,
        model_id=model_id,
        commit=commit,
        weights=_weights(reader, weight_files(listing, read_index(reader, listing)), config),
        chat_template=_has_chat_template(reader, listing),
        gated=gated,
    )
    return replace(facts, license=license_name, source=source)


def _weights(reader: FileReader[AnyFile], files: Sequence[AnyFile], config: Mapping[str, object]) -> Weights:
    if files[0].path.endswith(".safetensors"):
        return read_weights(reader, files)
    # Pickled weights have no header to read: their files' sizes are off by less than a thousandth.
    stored_bytes = sum(file.size for file in files)
    return Weights(stored_bytes // (4 if config_dtype(config) in ("", "float32") else 2), stored_bytes, "")


def _has_chat_template(reader: FileReader[AnyFile], listing: Sequence[AnyFile]) -> bool:
    if any(file.path == "chat_template.jinja" for file in listing):
        return True
    named = (_read_json(reader, listing, name) for name in ("chat_template.json", "tokenizer_config.json"))
    return any(has_chat_template(parsed) for parsed in named if parsed is not None)


def _read_json(reader: FileReader[AnyFile], listing: Sequence[AnyFile], path: str) -> dict[str, object] | None:
    file = next((file for file in listing if file.path == path), None)
    if file is None:
        return None
    if file.size > _LONGEST_JSON:
        raise PlanError(f"has {file.size} bytes, too many for a {path}", where=path)
    return parse_json(reader.read(file), path)
