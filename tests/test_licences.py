"""Every pinned package comes under a licence that constraints/licences.yaml allows, by its own metadata."""

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from vertex_vllm.local.serving_runtime import runtime_directory

ROOT = Path(__file__).resolve().parent.parent
POLICY = yaml.safe_load((ROOT / "constraints" / "licences.yaml").read_text())
EXCEPTIONS = {row["package"]: row["says"] for row in POLICY["exceptions"]}


def pinned(name: str) -> Iterator[str]:
    for line in (ROOT / "constraints" / name).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==", line):
            yield canonical(match[1])


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licences(*path: str) -> dict[str, str]:
    """Package → licence in its metadata, from the newest of the three fields that hold one."""
    found = metadata.distributions(path=list(path)) if path else metadata.distributions()
    return {canonical(each.metadata["Name"]): said(each.metadata) for each in found}


def said(fields: metadata.PackageMetadata) -> str:
    classifiers = [text.rpartition(" :: ")[2] for text in fields.get_all("Classifier") or [] if "License ::" in text]
    free_text = (fields.get("License") or "").strip().partition("\n")[0]
    return fields.get("License-Expression") or "; ".join(classifiers) or free_text


def refused(names: Iterator[str], installed: Mapping[str, str]) -> dict[str, str]:
    """Package → licence, for installed packages that no rule allows."""
    there = {name: installed[name] for name in names if name in installed}
    return {name: text for name, text in there.items() if not allowed(text) and EXCEPTIONS.get(name) != text}


def allowed(text: str) -> bool:
    return all(part.strip() in POLICY["allowed"] for part in re.split(r"; | AND | OR ", text))


def test_the_packages_of_the_image_may_be_used() -> None:
    installed = licences()
    assert set(pinned("project.txt")) - set(installed) == set()
    assert refused(pinned("project.txt"), installed) == {}


def test_the_packages_of_the_serving_runtime_may_be_used() -> None:
    folders = [str(folder) for folder in runtime_directory().glob("lib/*/site-packages")]
    if not folders:
        pytest.skip("the serving runtime is not installed: make test, or make demo, installs it")
    assert refused(pinned("serving.txt"), licences(*folders)) == {}


@pytest.mark.parametrize("text", ["", "GPL-3.0-only", "MIT AND AGPL-3.0-only", "MIT OR Proprietary", "OSI Approved"])
def test_any_other_licence_is_refused(text: str) -> None:
    assert refused(iter(["x"]), {"x": text}) == {"x": text}


def test_an_exception_is_for_exactly_what_the_package_said() -> None:
    assert refused(iter(["pycountry"]), {"pycountry": "LGPL-2.1-only"}) == {}
    assert refused(iter(["pycountry"]), {"pycountry": "GPL-3.0-only"}) != {}
