"""Which files of a repository hold the weights that vLLM loads."""

import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from vertex_vllm.errors import PlanError
from vertex_vllm.model.file_reader import AnyFile, FileReader
from vertex_vllm.model.repository_kind import CONSOLIDATED, is_adapter_file, is_mistral_common, other_formats
from vertex_vllm.model.untrusted_json import parse_json

SAFETENSORS_INDEX = "model.safetensors.index.json"
PICKLE_INDEX = "pytorch_model.bin.index.json"
# vLLM `filter_files_not_needed_for_inference`: files that a trainer leaves beside the weights.
_TRAINING = ("training_args.bin", "optimizer.bin", "*optimizer.pt", "*scheduler.pt", "*scaler.pt", "rng_state*")
# Shards as transformers and huggingface_hub name them.
_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.\w+)")
_MOST_SHARDS = 10_000
INCOMPLETE = "Choose another revision or repository: weights of this one are missing."
# Bytes. The longest index known, of 405 B parameters in 191 files, has 100 kB.
_LONGEST_INDEX = 64 << 20


def weight_files(listing: Sequence[AnyFile], indexed: Collection[str]) -> tuple[AnyFile, ...]:
    """The files with the weights, ordered by path: safetensors where there are any, those of the index if there is one.

    `indexed` holds the file names of the repository's index, see `read_index`; it is empty without one.
    Raises PlanError when the index names a missing file, or there are no weights that vLLM reads.
    """
    top = [file for file in listing if "/" not in file.path and not is_adapter_file(file.path)]
    consolidated = tuple(file for file in top if fnmatchcase(file.path, CONSOLIDATED))
    if consolidated and is_mistral_common(listing):
        return consolidated
    if indexed:
        return _indexed(listing, indexed)
    for pattern in ("*.safetensors", "*.bin", "*.pt"):
        found = tuple(file for file in top if fnmatchcase(file.path, pattern) and not _of_training(file.path))
        found = tuple(file for file in found if not fnmatchcase(file.path, "openvino_*"))
        usual = tuple(file for file in found if not fnmatchcase(file.path, CONSOLIDATED))
        if found:
            return usual or found
    others = other_formats(listing)
    raise PlanError(
        f"the repository holds no weights that vLLM reads{f', but others: {others}' if others else ''}",
        where="*.safetensors",
        missing=("*.safetensors",),
        fix="Choose a repository with safetensors files.",
    )


def weight_index(listing: Sequence[AnyFile]) -> AnyFile | None:
    """The index that says which of several files hold the weights, if there is one."""
    by_path = {file.path: file for file in listing}
    if any("/" not in path and path.endswith(".safetensors") for path in by_path):
        return by_path.get(SAFETENSORS_INDEX)
    return by_path.get(PICKLE_INDEX)


def parse_index(data: bytes, file: str) -> dict[str, str]:
    """The `weight_map` of an index: tensor → name of the file that holds it. Raises PlanError naming file and field."""
    weight_map = parse_json(data, file).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise PlanError("is not a mapping from tensors to files", where=f"{file}: weight_map")
    if not all(isinstance(name, str) for name in weight_map.values()):
        raise PlanError("holds a file name that is not text", where=f"{file}: weight_map")
    return weight_map


def read_index(reader: FileReader[AnyFile], listing: Sequence[AnyFile]) -> dict[str, str]:
    """Tensor → file by the repository's index, read from the Hub; empty where there is no index."""
    index = weight_index(listing)
    if index is None:
        return {}
    if index.size > _LONGEST_INDEX:
        raise PlanError(f"has {index.size} bytes, too many for an index", where=index.path)
    return parse_index(reader.read(index), index.path)


def _indexed(listing: Sequence[AnyFile], indexed: Collection[str]) -> tuple[AnyFile, ...]:
    found = tuple(file for file in listing if file.path in indexed)
    if missing := sorted(set(indexed) - {file.path for file in found}):
        raise PlanError(
            f"names {missing[0]!r}, which the repository does not have",
            where="weight_map of the index",
            missing=missing,
            fix=INCOMPLETE,
        )
    return found


def unnamed_shards(listing: Sequence[AnyFile], indexed: Collection[str]) -> list[str]:
    """Shards that an index leaves out, of a series that it names otherwise: vLLM reads what the index names."""
    series = {_series(name) for name in indexed} - {None}
    return [file.path for file in listing if file.path not in indexed and _series(file.path) in series]


def _series(path: str) -> tuple[str, ...] | None:
    """Name, count and extension that the shards of one model share; None for a file that is not a shard."""
    return match.groups() if (match := _SHARD.fullmatch(path)) else None


def check_numbers(found: Sequence[AnyFile]) -> None:
    """Raises PlanError where a shard is missing: without an index, the names of shards say how many there are.

    A plan only doubts such a repository, because its other shards may hold all tensors.
    """
    fix = f"{INCOMPLETE} If the other shards hold the whole model, name the files to copy with --include."
    there = {file.path for file in found}
    for name, count, end in sorted({series for path in there if (series := _series(path))}):
        if int(count) > _MOST_SHARDS:
            continue
        wanted = (f"{name}-{number:0{len(count)}}-of-{count}{end}" for number in range(1, int(count) + 1))
        if missing := [path for path in wanted if path not in there]:
            raise PlanError(f"lacks {missing[0]!r}", where=f"shards {name}-*", missing=missing, fix=fix)


def _of_training(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in _TRAINING)
