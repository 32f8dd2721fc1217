"""The catalogue as one value, and the questions that planning asks of it."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from vertex_vllm.catalog.rows import (
    Accelerator,
    Advisory,
    Architecture,
    Family,
    Flag,
    Image,
    Machine,
    Model,
    NumberFormat,
    Preset,
    Quantization,
    Shape,
    SourcedRow,
    Tpu,
)
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.transformer import Transformer
from vertex_vllm.vllm_versions import Presence, VersionRange, version_key

# Fields of a row of shapes.yaml: those of a `Transformer`, and those of the facts beside it.
_SIZES = {each.name for each in fields(Transformer)}
_OF_FACTS = {"dtype", "quantization", "parameters", "weight_bytes"}


@dataclass(frozen=True)
class Missing:
    """Answer of a lookup for a name that the catalogue does not have."""

    name: str
    near: tuple[str, ...]
    """Names of similar spelling, the most similar first."""

    @property
    def hint(self) -> str:
        """`Did you mean a or b?`, or nothing."""
        return f"Did you mean {' or '.join(self.near)}?" if self.near else ""


@dataclass(frozen=True)
class Catalog:
    """All tables, each by the name of its rows."""

    accelerators: Mapping[str, Accelerator]
    machines: Mapping[str, Machine]
    images: Mapping[str, Image]
    """By URI."""
    flags: Mapping[str, Flag]
    architectures: Mapping[str, Architecture]
    quantizations: Mapping[str, Quantization]
    presets: Mapping[str, Preset]
    shapes: Mapping[str, Shape]
    models: Mapping[str, Model]
    tpus: Mapping[str, Tpu]
    families: Mapping[str, Family]
    checked_flags: tuple[str, ...]
    """vLLM releases whose options were read."""
    checked_architectures: tuple[str, ...]
    formats: tuple[NumberFormat, ...] = ()
    advisories: Mapping[str, Advisory] = field(default_factory=dict)
    checked_formats: tuple[str, ...] = ()
    """vLLM releases whose number formats and quantisation methods were read."""

    def find_machine(self, name: str) -> Machine | Missing:
        return self.machines.get(name) or _missing(name, self.machines)

    def find_accelerator(self, name: str) -> Accelerator | Missing:
        return self.accelerators.get(name) or _missing(name, self.accelerators)

    def find_image(self, uri: str) -> Image | Missing:
        """By URI with tag, digest or both. A tag alone, or another repository's, is missing; its images are near."""
        uri, _, digest = uri.partition("@")
        pinned = (row for row in self.images.values() if digest and row.digest == digest)
        if (found := next(pinned, None)) is not None and uri in (found.uri, found.uri.rpartition(":")[0]):
            return found
        tag = uri.rpartition(":")[2]
        same_tag = tuple(known for known in self.images if known.endswith(f":{tag}"))
        return self.images.get(uri) or (Missing(uri, same_tag) if same_tag else _missing(uri, self.images))

    def find_flag(self, name: str) -> Flag | Missing:
        """The row of an option, also for `--no-…` of a switch."""
        found = self.flags.get(name)
        if found is None and name.startswith("--no-"):
            positive = self.flags.get(f"--{name.removeprefix('--no-')}")
            found = positive if positive is not None and positive.switch else None
        return found or _missing(name, self.flags)

    def find_model(self, model_id: str) -> Model | Missing:
        """By its name, or by one that the Hub forwards to it."""
        for model in self.models.values():
            if model_id == model.model or model_id in model.also:
                return model
        spelt_alike = tuple(known for known in self.models if known.lower() == model_id.lower())
        return Missing(model_id, spelt_alike) if spelt_alike else _missing(model_id, self.models)

    def preset(self, model_id: str) -> Preset | None:
        model = self.find_model(model_id)
        return self.presets.get(model.preset) if isinstance(model, Model) else None

    def facts(self, model_id: str) -> ModelFacts | Missing:
        """Facts recorded without asking the Hub; their `source` says so, and names the fields that are not verified."""
        model = self.find_model(model_id)
        if isinstance(model, Missing):
            return model
        shape = self.shapes[model.shape]
        doubt = f", unverified: {', '.join(shape.unverified)}" if shape.unverified else ""
        return ModelFacts(
            model_id=model.model,
            commit="",
            chat_template=model.chat_template,
            custom_code=False,
            gated=model.gated,
            source=f"the catalogue{doubt}",
            shape=Transformer(**shape.model_dump(include=_SIZES)),
            **shape.model_dump(include=_OF_FACTS),
        )

    def family(self, architecture: str) -> Family | None:
        return next((row for row in self.families.values() if architecture in row.architectures), None)

    def flag_presence(self, flag: Flag, versions: VersionRange | None) -> Presence:
        return flag.span.presence_in(versions, self.checked_flags) if flag.span else "unknown"

    def architecture_presence(self, architecture: Architecture, versions: VersionRange | None) -> Presence:
        return architecture.span.presence_in(versions, self.checked_architectures)

    def format_rows(self, name: str, versions: VersionRange | None) -> tuple[tuple[str, NumberFormat | None], ...]:
        """For each checked version that an image may have, the row of a number format; None: the version has none.

        All checked versions where the image's is not known; the nearest older one where none of its range was checked.
        """
        rows = [row for row in self.formats if row.format == name]
        found = self._checked_within(versions)
        return tuple((each, next((row for row in rows if row.covers(each)), None)) for each in found)

    def versions_without(self, quantization: str, versions: VersionRange | None) -> tuple[tuple[str, ...], bool]:
        """Checked versions that an image may have and that refuse a method or scheme; and whether all of them do."""
        row, within = self.quantizations.get(quantization), self._checked_within(versions)
        limits = row.limits if row is not None else ()
        lacking = tuple(each for each in within if not any(limit.holds(each) for limit in limits))
        return lacking, len(lacking) == len(within)

    def _checked_within(self, versions: VersionRange | None) -> list[str]:
        """Versions whose formats were read and that an image may have; the nearest older one where none was."""
        within = [each for each in self.checked_formats if versions is None or versions.holds(each)]
        if within or versions is None:
            return within
        older = [each for each in self.checked_formats if version_key(each) <= version_key(versions.latest)]
        return older[-1:] or list(self.checked_formats[:1])

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that offer any machine, in alphabetical order."""
        return tuple(sorted({region for machine in self.machines.values() for region in machine.regions}))

    def machines_in(self, region: str) -> tuple[Machine, ...]:
        return tuple(machine for machine in self.machines.values() if region in machine.regions)

    def quota_ids(self, region: str, preemptible: bool) -> tuple[str, ...]:
        """Cloud Quotas ids of all accelerators that a region has."""
        names = dict.fromkeys(machine.accelerator for machine in self.machines_in(region))
        return tuple(self.accelerators[name].quota_id(preemptible) for name in names)

    def rows(self) -> Iterable[SourcedRow]:
        """Every row of every table."""
        for table in (
            self.accelerators,
            self.machines,
            self.images,
            self.flags,
            self.architectures,
            self.quantizations,
            self.presets,
            self.shapes,
            self.models,
            self.tpus,
            self.families,
            self.advisories,
        ):
            yield from table.values()
        yield from self.formats


def _missing(name: str, known: Iterable[str]) -> Missing:
    """Names that have all words of the given one, then names of similar spelling: NVIDIA_T4 finds NVIDIA_TESLA_T4."""
    names, words = list(known), set(re.split("[-_]", name.lower()))
    whole = [each for each in names if words < set(re.split("[-_]", each.lower()))]
    return Missing(name, tuple(whole[:3] or difflib.get_close_matches(name, names, n=3, cutoff=0.8)))
