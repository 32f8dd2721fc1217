"""Security advisories about the vLLM of an image, as far as they touch the model that is to be served."""

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.rows import Advisory
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.vllm_versions import VersionRange, version_key


def advisories_of(facts: ModelFacts, versions: VersionRange | None, catalog: Catalog) -> tuple[Advisory, ...]:
    """Advisories that affect any version that the image may have; none for an image of an unknown version."""
    if versions is None:
        return ()
    return tuple(row for row in catalog.advisories.values() if _touches(row, facts) and _affects(row, versions))


def advisories_of_model(facts: ModelFacts, versions: VersionRange | None, catalog: Catalog) -> tuple[Advisory, ...]:
    """The same without advisories that touch every model: they decide no image, as older images have others."""
    return tuple(row for row in advisories_of(facts, versions, catalog) if row.touches != "requests")


def advisories_told(found: tuple[Advisory, ...]) -> str:
    """`CVE-2026-24779 (about, fixed in 0.14.1)`, one after the other."""
    return "; ".join(f"{row.advisory} ({row.about}; fixed in {row.fixed})" for row in found)


def _touches(row: Advisory, facts: ModelFacts) -> bool:
    """Whether the advisory touches the model: one about code needs custom code, one about pictures a vision model."""
    touched = {"code": facts.custom_code, "images": facts.vision, "pickled": facts.pickled, "requests": True}
    return touched[row.touches]


def _affects(row: Advisory, versions: VersionRange) -> bool:
    begun = not row.since or version_key(versions.latest) >= version_key(row.since)
    return begun and version_key(versions.earliest) < version_key(row.fixed)
