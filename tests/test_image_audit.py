"""The vLLM inside the serving images, in pip-audit's words and ours."""

from tools.image_audit import offered_versions, told, vulnerabilities
from vertex_vllm.catalog import load_catalog

# As pip-audit 2.9.0 prints it.
ANSWER = {
    "dependencies": [
        {
            "name": "vllm",
            "version": "0.11.0",
            "vulns": [
                {"id": "GHSA-8fr4-5q9j-m8gm", "fix_versions": ["0.11.1"], "aliases": ["CVE-2025-66448"]},
                {"id": "GHSA-0000-0000-0000", "fix_versions": [], "aliases": []},
            ],
        }
    ],
    "fixes": [],
}
SKIPPED = {"dependencies": [{"name": "vllm", "skip_reason": "Dependency not found"}], "fixes": []}


def test_each_is_told_with_its_fix_and_whether_the_catalogue_has_it() -> None:
    found = vulnerabilities(ANSWER)
    assert told(found, set(load_catalog().advisories)) == (
        "GHSA-0000-0000-0000 (fixed in no version, not in the catalogue); "
        "CVE-2025-66448 (fixed in 0.11.1, in the catalogue)"
    )
    assert told({}, set()) == "no known vulnerability"


def test_what_could_not_be_looked_up_is_not_called_clean() -> None:
    assert vulnerabilities(SKIPPED) is None
    assert told(None, set()) == "could not be looked up"


def test_both_ends_of_each_images_range_are_looked_up() -> None:
    images = load_catalog().images
    found = offered_versions(images)
    for image in images.values():
        if image.variant == "gpu" and image.versions is not None:
            assert image.tag in found[image.versions.earliest]
            assert image.tag in found[image.versions.latest]
    assert next(iter(found)) < "0.9"
