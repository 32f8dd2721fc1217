"""Adapters of --lora-modules in Cloud Storage, compared with the model before a machine is rented."""

import logging
from collections.abc import Iterator
from typing import Any

from vertex_vllm.catalog import Catalog
from vertex_vllm.errors import PlanError, ServiceError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.mirrored_facts import BucketFile, BucketReader
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.lora_adapter import adapter_faults, adapter_rank
from vertex_vllm.model.repository_kind import ADAPTER_CONFIG
from vertex_vllm.model.safetensors import read_tensors
from vertex_vllm.model.untrusted_json import parse_json
from vertex_vllm.planning.argument_forms import adapter_path
from vertex_vllm.planning.argument_values import LORA_RANKS
from vertex_vllm.planning.command_line import WHERE, effective_values, parse_arguments
from vertex_vllm.planning.settings import DEFAULT_LORA_RANK

log = logging.getLogger(__name__)

_WEIGHTS = "adapter_model.safetensors"
_LONGEST_CONFIG = 1 << 20


def check_adapters(extra_args: list[str], facts: ModelFacts, project: str, catalog: Catalog) -> None:
    """Raises PlanError for an adapter that is missing, of another base model, or of too large a rank.

    Paths of the container's own, and buckets that the caller may not read, are left to vLLM.
    """
    given = parse_arguments(extra_args, catalog)
    most = effective_values(given).get("--max-lora-rank", "")
    paths = [adapter_path(value) for each in given if each.flag == "--lora-modules" for value in each.values]
    for uri in (path for path in paths if path.startswith("gs://")):
        try:
            _check(uri, facts, project, int(most) if most.isdigit() else DEFAULT_LORA_RANK)
        except ServiceError as refused:
            log.warning("Whether the adapter %s fits the model is not known: %s", uri, refused)


def _check(uri: str, facts: ModelFacts, project: str, most_rank: int) -> None:
    config, shapes = _read(uri, project)
    base = config.get("base_model_name_or_path")
    of_base = f" (an adapter of {str(base)[:200]})" if base else ""
    for fault in adapter_faults(config, shapes, facts.shape):
        raise PlanError(
            f"{uri}{of_base} does not fit {facts.model_id}: {fault}",
            where=f"{WHERE}, --lora-modules",
            fix="Name an adapter that was trained on this model, or serve its base model",
        )
    if (rank := adapter_rank(config)) > most_rank:
        larger = next((each for each in LORA_RANKS if each >= rank), None)
        raise PlanError(
            f"{uri} has rank {rank}, and vLLM takes up to {most_rank} (--max-lora-rank)",
            where=f"{WHERE}, --lora-modules",
            fix=f"Add --max-lora-rank={larger}" if larger else "Merge the adapter into the weights",
        )


def _read(uri: str, project: str) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """adapter_config.json, and the shape of each tensor; without shapes where the weights are no safetensors."""
    with google_errors("Cloud Storage", uri):
        bucket = MirrorBucket(uri, project)
        try:
            found = dict(_sizes(bucket))
            if ADAPTER_CONFIG not in found:
                raise PlanError(
                    f"{uri} has no {ADAPTER_CONFIG}",
                    where=f"{WHERE}, --lora-modules",
                    fix="Name the folder of an adapter as PEFT saves it",
                )
            length = min(found[ADAPTER_CONFIG], _LONGEST_CONFIG)
            config = parse_json(bucket.read(ADAPTER_CONFIG, 0, length), f"{uri}/{ADAPTER_CONFIG}")
            if _WEIGHTS not in found:
                return config, {}
            tensors = read_tensors(BucketReader(bucket), [BucketFile(_WEIGHTS, found[_WEIGHTS])])[_WEIGHTS]
            return config, {name: tensor.shape for name, tensor in tensors.items()}
        finally:
            bucket.close()


def _sizes(bucket: MirrorBucket) -> Iterator[tuple[str, int]]:
    for name in (ADAPTER_CONFIG, _WEIGHTS):
        if found := bucket.look(name):
            yield name, found.size
