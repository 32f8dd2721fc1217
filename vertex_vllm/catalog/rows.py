"""The rows of the catalogue: one class a table, each row with the sources that it rests on."""

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vertex_vllm.vllm_versions import Span, VersionRange, version_key


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Row):
    """Where a row's figures were read, and when."""

    title: str = Field(min_length=1)
    date: datetime.date


class SourcedRow(Row):
    source: tuple[Source, ...] = Field(min_length=1)


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Accelerator(SourcedRow):
    accelerator: str
    """Name in the Vertex `AcceleratorType` enum."""
    memory_gb: int
    """As the maker names it."""
    visible_gib: float
    """Memory of one card as PyTorch reports it, GiB: vLLM counts from this."""
    compute_capability: str
    """CUDA compute capability, for example 8.9."""
    vllm_since: str = ""
    """Earliest vLLM with kernels for it; empty: every version listed here."""
    quota: str
    """Middle of the Cloud Quotas id."""
    quota_metric: str = ""
    """The older metric's name; empty: not known."""

    def quota_id(self, preemptible: bool) -> str:
        """Cloud Quotas id of the limit that serving on this accelerator counts against."""
        return f"CustomModelServing{'Preemptible' if preemptible else ''}{self.quota}PerProjectPerRegion"

    @property
    def capability(self) -> tuple[int, ...]:
        return tuple(map(int, self.compute_capability.split(".")))


class Machine(SourcedRow):
    machine: str
    accelerator: str
    count: int = Field(ge=1)
    """Accelerators in the machine."""
    host_memory_gib: float
    regions: Words
    """Where Compute Engine has it."""
    recommended_regions: Words = ()
    """Where Google recommends it for Vertex AI; empty: nothing known."""
    usd_per_hour: float | None = None
    """Compute Engine's list price in us-central1; None: no dated source."""
    spot_usd_per_hour: float | None = None

    def price(self, spot: bool) -> float | None:
        return self.spot_usd_per_hour if spot else self.usd_per_hour


class Image(SourcedRow):
    uri: str
    digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")
    """The tag's digest as last read from the registry (tools/read_digests.py); empty: never read."""
    digest_date: datetime.date | None = None
    """Day on which the digest was read from the registry; None: never."""
    date: datetime.date | None = None
    """Of the tag; None: the tag moves, or names no version."""
    vllm: tuple[str, str] | None = None
    published: bool = False
    """Google names the version; otherwise it is inferred."""
    variant: Literal["gpu", "maas", "arm", "tpu", "cohost", "optimized"] = "gpu"
    evidence: Literal["google", "third-party"]
    floating: bool = False
    """The tag may name another image tomorrow."""
    note: str = ""

    @property
    def versions(self) -> VersionRange | None:
        return VersionRange(*self.vllm) if self.vllm else None

    @property
    def tag(self) -> str:
        return self.uri.rpartition(":")[2]

    @property
    def pinned(self) -> str:
        """By digest where one is known, else by tag. A tag that floats is not pinned: its digest is only today's."""
        return f"{self.uri.rpartition(':')[0]}@{self.digest}" if self.digest and not self.floating else self.uri


class Flag(SourcedRow):
    flag: str
    first: str = ""
    last: str = ""
    switch: bool = False
    """Takes no value."""
    short_for: str = ""
    fork: bool = False
    """Of Google's fork of vLLM alone: no list says which images have it."""

    @property
    def span(self) -> Span | None:
        return None if self.fork else Span(self.first, self.last)


class Architecture(SourcedRow):
    architecture: str
    takes: Literal["text", "images", "pooling"]
    first: str
    last: str
    removed_after: str = ""

    @property
    def span(self) -> Span:
        return Span(self.first, self.removed_after or self.last, ended=bool(self.removed_after))


class Limit(Row):
    """Limits of a quantisation method in consecutive checked versions of vLLM."""

    first: str
    last: str
    capability: str = ""
    """Least CUDA compute capability, for example 8.9; empty: the version does not say."""
    dtypes: tuple[str, ...] = ()
    """Formats of activations; empty: the version does not say."""

    def overlaps(self, versions: VersionRange) -> bool:
        return version_key(self.first) <= version_key(versions.latest) and version_key(self.last) >= version_key(
            versions.earliest
        )

    def holds(self, version: str) -> bool:
        return version_key(self.first) <= version_key(version) <= version_key(self.last)

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(map(int, self.capability.split("."))) if self.capability else ()


class Quantization(SourcedRow):
    quantization: str
    """Method, or `method/scheme`."""
    limits: tuple[Limit, ...]
    """By version, the oldest first; a version in none of these ranges refuses the method."""
    needs_flag: str = ""
    """Versions that know this flag refuse the method without it."""
    splits: bool = True
    """Stored weights of the method may be split over accelerators."""
    instead: str = ""
    """Row whose limits hold where they are lower: vLLM changes the method by itself."""
    below: str = ""
    """Compute capability from which on no kernel takes dense layers, for example 10.0; empty: there is none."""
    instead_for: tuple[str, ...] = ()
    """Schemes for which that holds; empty: all."""

    @property
    def min_capability(self) -> str:
        """`8.0 (0.7.2 to 0.13.0), 7.5 (0.14.0 to 0.33.0)`."""
        return ", ".join(f"{each.capability} ({each.first} to {each.last})" for each in self.limits if each.capability)

    def limits_in(self, versions: VersionRange | None) -> tuple[Limit, ...]:
        """Of each version that an image may have; all where its version is not known, or was not read."""
        found = tuple(each for each in self.limits if versions is not None and each.overlaps(versions))
        return found or self.limits


class NumberFormat(SourcedRow):
    """`auto_dtype`, `transformers` with what it requires, or `without_float16:MODEL_TYPE`."""

    format: str
    first: str
    last: str
    requires: str = ""

    def covers(self, version: str) -> bool:
        return version_key(self.first) <= version_key(version) <= version_key(self.last)


class Advisory(SourcedRow):
    advisory: str
    """CVE number, or the GHSA id of one without."""
    touches: Literal["code", "images", "pickled", "requests"]
    since: str = ""
    """First affected version; empty: every one before `fixed`."""
    fixed: str
    about: str


class Preset(SourcedRow):
    """Settings for a model, taken where the deployment leaves the choice."""

    preset: str
    machine: str
    max_num_seqs: int | None = None
    args: tuple[str, ...] = ()
    """vLLM arguments besides those of every plan."""


class Shape(SourcedRow):
    """Facts that a family's models share."""

    shape: str
    architecture: str
    dtype: str
    quantization: str
    parameters: int
    weight_bytes: int
    layers: int
    hidden_size: int
    attention_heads: int
    key_value_heads: int
    head_size: int
    context_length: int
    vision: bool
    vocabulary: int
    intermediate_size: int
    tied_embeddings: bool = False
    cross_attention_layers: int = 0
    image_tokens: int = 0
    """Of the vision tower, one image at its largest."""
    image_width: int = 0
    """Hidden size of the vision tower."""
    unverified: tuple[str, ...]
    """Fields that were not compared with the repo's own files."""


class Tpu(SourcedRow):
    """A machine with TPUs. Listed for people: nothing here is planned on it, and no `AcceleratorType` names it."""

    tpu: str
    """Machine type."""
    generation: str
    chips: int
    memory_gb: int
    """Of one chip, as Google names it."""
    quota: str = ""
    """Middle of the Cloud Quotas id; empty: not known."""
    quota_metric: str = ""
    regions: Words = ()
    """Empty: not known."""
    usd_per_hour: float | None = None


class Family(SourcedRow):
    """Facts of a family of models that requests and deployments need besides its size."""

    family: str
    architectures: Words
    chat_template: str
    """Which of its repos have one."""
    fork_tool_parser: str = ""
    """For --tool-call-parser in Google's fork of vLLM; upstream's names are in parsers.yaml."""
    image_placeholder: str = ""
    """Stands for an image in the prompt of a request with `multi_modal_data`; empty: takes no images."""
    lora: bool
    """vLLM's class takes adapters."""
    limits: str = ""


class Model(SourcedRow):
    model: str
    shape: str
    preset: str = ""
    chat_template: bool
    gated: bool
    also: tuple[str, ...] = ()
    """Names that the Hub forwards to this one."""
