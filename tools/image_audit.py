"""Known vulnerabilities of the vLLM inside the serving images that the catalogue offers. `make audit` runs it.

    python -m tools.image_audit PIP_AUDIT     # the program pip-audit; it asks a database on the internet

Google's images may contain fixes that their version number does not show, so a vulnerability never fails the command:
each is printed with its images, and whether `vertex_vllm/catalog/advisories.yaml` has it. A line also says which
versions the database does not know.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vertex_vllm.catalog import load_catalog
from vertex_vllm.vllm_versions import version_key


def main(arguments: list[str]) -> None:
    (program,) = arguments
    catalog = load_catalog()
    known = set(catalog.advisories)
    for version, tags in offered_versions(catalog.images).items():
        found = vulnerabilities(_asked(program, version))
        print(f"vLLM {version} ({', '.join(tags)}): {told(found, known)}")


def offered_versions(images: Mapping[str, Any]) -> dict[str, list[str]]:
    """vLLM version → tags of images that plans may choose and that may contain it: both ends of each image's range."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for image in images.values():
        if image.variant == "gpu" and image.versions is not None:
            for version in dict.fromkeys((image.versions.earliest, image.versions.latest)):
                found[version].append(image.tag)
    return dict(sorted(found.items(), key=lambda row: version_key(row[0])))


def vulnerabilities(answer: Mapping[str, Any]) -> dict[str, tuple[frozenset[str], str]] | None:
    """From pip-audit's JSON: id → its names and the first fixed version ("": none); None if it skipped vLLM."""
    (package,) = answer["dependencies"]
    if "skip_reason" in package:
        return None
    return {
        row["id"]: (frozenset({row["id"], *row.get("aliases", ())}), (row.get("fix_versions") or [""])[0])
        for row in package["vulns"]
    }


def told(found: Mapping[str, tuple[frozenset[str], str]] | None, known: set[str]) -> str:
    """One line of text. A vulnerability in the catalogue has the catalogue's name."""
    if found is None:
        return "could not be looked up"
    if not found:
        return "no known vulnerability"
    parts = []
    for identity, (names, fixed) in sorted(found.items()):
        ours = next(iter(sorted(names & known)), "")
        where = "in the catalogue" if ours else "not in the catalogue"
        parts.append(f"{ours or identity} (fixed in {fixed or 'no version'}, {where})")
    return "; ".join(parts)


def _asked(program: str, version: str) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write(f"vllm=={version}\n")
        listed.flush()
        command = [program, "--disable-pip", "--no-deps", "--format", "json", "--requirement", listed.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        sys.exit(f"{Path(program).name} failed: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    main(sys.argv[1:])
