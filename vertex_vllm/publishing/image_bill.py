"""The bill of materials of the steps' image, CycloneDX 1.6: Python packages with their permitted files, and Debian's.

    python -m vertex_vllm.publishing.image_bill FILE    # a step of the Dockerfile

There it reads the installed packages, and fails if they are not those of `constraints/image.hashes`. `bootstrap` writes
the bill of that list alone, without Debian's packages, beside the sources. The same packages give the same bytes.
"""

import io
import json
import re
import sys
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from vertex_vllm.errors import InputError
from vertex_vllm.shipped import shipped

LISTED = "constraints/image.hashes"
_NAME = "python-steps"
_DEBIAN = Path("/var/lib/dpkg/status")
# The base image brings pip and its kin; this project is no package of an index.
_UNLISTED = frozenset({"pip", "wheel", "vertex-vllm"})
_FILE_PROPERTY = "vertex-vllm:permitted-file-sha256"
_LISTED_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(.*?)(?=^[A-Za-z0-9]|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Package:
    name: str
    """As its index or Debian has it, in lower case and with hyphens."""
    version: str
    files: tuple[str, ...] = ()
    """SHA-256, hexadecimal, of the files that pip may install it from; it took one of them. Empty: not listed."""
    licence: str = ""
    """Licence by its own metadata; empty: not installed."""


def listed_packages(text: str) -> dict[str, Package]:
    """The packages of a list that `make hashes` wrote, by name."""
    found = {}
    for match in _LISTED_PACKAGE.finditer(text):
        name = canonical_name(match[1])
        found[name] = Package(name, match[2], tuple(sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", match[3]))))
    return found


def installed_packages() -> dict[str, Package]:
    """The packages that this Python would import, by name, without their files."""
    found: dict[str, Package] = {}
    for each in metadata.distributions():
        name = canonical_name(each.metadata["Name"])
        found.setdefault(name, Package(name, each.version, licence=_licence(each.metadata)))
    return found


def debian_packages(status: str) -> list[Package]:
    """The installed packages of dpkg's status file."""
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            found.append(Package(fields["Package"], fields["Version"]))
    return found


def as_listed(installed: Mapping[str, Package], listed: Mapping[str, Package]) -> list[Package]:
    """The installed packages with the files that the list permits.

    Raises InputError where another package or version is installed, or a listed one is not.
    """
    faults = [
        *(f"{name} {found.version} is not listed" for name, found in installed.items() if _is_unlisted(found, listed)),
        *(f"{name} is not installed" for name in listed if name not in installed),
    ]
    if faults:
        raise InputError(
            f"the installed packages are not the listed ones: {'; '.join(sorted(faults))}",
            where=LISTED,
            fix="Install by that list alone, or run `make hashes`.",
        )
    return [
        Package(each.name, each.version, listed[name].files if name in listed else (), each.licence)
        for name, each in installed.items()
    ]


def bill_of_archive(archive: bytes, image: str) -> str:
    """The bill of the packages that the sources in a gzipped tar list for `image`, `NAME@sha256:DIGEST`.

    Empty where they hold no list, as sources of somebody else's image do not.
    """
    packages = _packages_of(archive)
    return image_bill(packages, (), image) if packages else ""


@lru_cache(maxsize=1)
def _packages_of(archive: bytes) -> tuple[Package, ...]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as sources:
        try:
            member = sources.extractfile(LISTED)
        except KeyError:
            return ()
        return tuple(listed_packages(member.read().decode()).values()) if member else ()


def image_bill(python: Iterable[Package], debian: Iterable[Package], image: str = "") -> str:
    """The bill as JSON, with a line break at its end. `image`: `NAME@sha256:DIGEST`; empty in the image itself, which
    cannot hold its own digest."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    name, _, digest = image.partition("@")
    subject = Component(
        type=ComponentType.CONTAINER,
        name=name or _NAME,
        version=digest or None,
        bom_ref="image",
        purl=_image_url(image),
    )
    components = [*(_component("pypi", each) for each in python), *(_component("deb", each) for each in debian)]
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, image or _NAME))
    bom.metadata.component = subject
    bom.components = components
    bom.register_dependency(subject, components)
    fields = json.loads(JsonV1Dot6(bom).output_as_string())
    # Written by the library in any case: the time of this call.
    del fields["metadata"]["timestamp"]
    return json.dumps(fields, indent=2, sort_keys=True) + "\n"


def canonical_name(name: str) -> str:
    """As PyPI compares names ("Name normalization", PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_unlisted(found: Package, listed: Mapping[str, Package]) -> bool:
    if found.name not in listed:
        return found.name not in _UNLISTED
    return listed[found.name].version != found.version


def _component(kind: str, package: Package):  # type: ignore[no-untyped-def]  # cyclonedx is imported where it is used
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    url = PackageURL(kind, "debian" if kind == "deb" else None, package.name, package.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=url.to_string(),
        purl=url,
        licenses=[LicenseFactory().make_from_string(package.licence)] if package.licence else [],
        properties=[Property(name=_FILE_PROPERTY, value=each) for each in package.files],
    )


def _image_url(image: str):  # type: ignore[no-untyped-def]  # as above
    from packageurl import PackageURL

    name, _, digest = image.partition("@")
    if not digest:
        return None
    return PackageURL("oci", None, name.rpartition("/")[2], digest, {"repository_url": name})


def _licence(fields: metadata.PackageMetadata) -> str:
    """In the newest of the three ways to say it."""
    said, *_ = fields.get_all("License-Expression") or [""]
    text, *_ = fields.get_all("License") or [""]
    return str(said or "; ".join(_classified(fields)) or text.strip().partition("\n")[0])


def _classified(fields: metadata.PackageMetadata) -> Iterator[str]:
    for text in fields.get_all("Classifier") or []:
        if text.startswith("License ::"):
            yield text.rpartition(" :: ")[2]


def main(path: str) -> None:
    """Writes the bill of this image. Raises InputError where its packages are not the listed ones."""
    python = as_listed(installed_packages(), listed_packages(shipped(LISTED).read_text(encoding="utf-8")))
    debian = debian_packages(_DEBIAN.read_text(encoding="utf-8"))
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(image_bill(python, debian), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")
