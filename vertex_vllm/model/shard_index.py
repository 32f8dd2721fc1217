"""The index of a sharded model beside the headers of its shards. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from vertex_vllm.errors import PlanError
from vertex_vllm.model.weight_files import INCOMPLETE, SAFETENSORS_INDEX


def missing_tensors(index: Mapping[str, str], held: Mapping[str, Collection[str]]) -> list[str]:
    """Tensors that the index promises and none of its files holds.

    `held`: path → names of the tensors in that file. vLLM reads every tensor of every file that the index names, so a
    tensor in another file than the index says is loaded all the same.
    """
    there = {name for path in set(index.values()) for name in held[path]}
    return sorted(index.keys() - there)


def check_tensors(index: Mapping[str, str], held: Mapping[str, Collection[str]]) -> None:
    """Raises PlanError where `missing_tensors` finds any."""
    if missing := missing_tensors(index, held):
        raise PlanError(
            f"names {_counted(missing)}, which none of its files holds",
            where=f"{SAFETENSORS_INDEX}: weight_map",
            missing=missing,
            fix=f"{INCOMPLETE} If its files hold the whole model, leave the index out with "
            f"--exclude {SAFETENSORS_INDEX}.",
        )


def tensor_doubts(index: Mapping[str, str], held: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Sentences about tensors that are missing, and about such as several files hold."""
    if index and (missing := missing_tensors(index, held)):
        yield f"the index names {_counted(missing)}, which none of its files holds"
    counts = Counter(name for names in held.values() for name in names)
    if several := sorted(name for name, count in counts.items() if count > 1):
        yield f"several files hold {_counted(several)}; vLLM keeps the one that it reads last"


def _counted(names: Collection[str]) -> str:
    first = f"{min(names)[:200]!r}"
    return f"tensor {first}" if len(names) == 1 else f"{len(names)} tensors, among them {first}"
