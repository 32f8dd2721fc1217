"""The facts that the choice of a machine depends on."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.rows import Accelerator, Machine
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.headroom import Headroom, Quotas
from vertex_vllm.planning.image_choice import ImageChoice
from vertex_vllm.planning.machine_memory import estimate_on
from vertex_vllm.planning.memory.estimate import MemoryEstimate
from vertex_vllm.planning.number_formats import Formats
from vertex_vllm.planning.settings import Settings


@dataclass(frozen=True)
class Requirements:
    facts: ModelFacts
    settings: Settings
    image: ImageChoice
    deployment: Deployment
    catalog: Catalog
    quotas: Quotas = field(default_factory=dict)

    @property
    def region(self) -> str:
        return self.deployment.google_cloud.region

    @property
    def spot(self) -> bool:
        return self.deployment.serving.spot

    @property
    def concurrency(self) -> int:
        """Requests of `max_model_len` tokens that the cache has room for at once: as many as the evaluation asks."""
        return min(self.deployment.evaluation.concurrency, self.settings.max_num_seqs)

    @property
    def full_requests(self) -> str:
        """The requests that a machine must have room for, in words."""
        count = self.concurrency
        return f"{count} request{'s' if count > 1 else ''} of {self.settings.max_model_len} tokens at once"

    def accelerator(self, machine: Machine) -> Accelerator:
        return self.catalog.accelerators[machine.accelerator]

    def memory(self, machine: Machine) -> MemoryEstimate:
        """Memory of one accelerator of the machine."""
        split = self.tensor_parallel(machine)
        dtype = self.dtype(machine)
        return estimate_on(machine, self.accelerator(machine), split, self.facts, self.settings, self.image, dtype)

    @property
    def formats(self) -> Formats:
        asked, stored = self.settings.quantization, self.facts.quantization
        # `--quantization=awq_marlin` forces the kernel where vLLM would change to another by itself.
        method = asked if stored and asked == f"{stored}_marlin" else stored or asked
        return Formats(self.facts, self.settings.dtype, method, self.image.versions, self.catalog)

    def dtype(self, machine: Machine) -> str:
        """Number format that the machine computes the model in."""
        return self.formats.computed(self.accelerator(machine))

    def tensor_parallel(self, machine: Machine) -> int:
        """Accelerators that share each layer; 0: the machine has too few for the other kinds of parallelism."""
        return self.settings.tensor_parallel_size or machine.count // self.settings.other_parallelism

    def headroom(self, machine: Machine) -> Headroom | None:
        """The project's headroom for the machine's accelerators; None: not read."""
        return self.quotas.get((self.accelerator(machine).quota_id(self.deployment.serving.preemptible), self.region))

    def candidates(self) -> Iterator[Machine]:
        """Machines of the region that the deployment leaves to choose from."""
        serving = self.deployment.serving
        for machine in self.catalog.machines_in(self.region):
            of_type = serving.accelerator_type in ("", machine.accelerator)
            if of_type and serving.accelerator_count in (0, machine.count):
                yield machine

    def with_context(self, tokens: int) -> Self:
        """The same with prompts and answers of up to so many tokens together."""
        return replace(self, settings=replace(self.settings, max_model_len=tokens))

    def without_machine(self) -> Self:
        """The same with the deployment leaving the machine to the planner."""
        free = {"machine_type": "", "accelerator_type": "", "accelerator_count": 0}
        serving = self.deployment.serving.model_copy(update=free)
        return replace(self, deployment=self.deployment.model_copy(update={"serving": serving}))
