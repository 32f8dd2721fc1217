"""The bills of materials of the steps' image: from its list of packages, and from the installed packages."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from vertex_vllm.errors import InputError
from vertex_vllm.publishing.image_bill import (
    Package,
    as_listed,
    bill_of_archive,
    debian_packages,
    image_bill,
    installed_packages,
    listed_packages,
)
from vertex_vllm.publishing.image_sources import read_sources

ROOT = Path(__file__).resolve().parents[3]
ONE, OTHER = "a1" * 32, "b2" * 32
LIST = f"""\
a-package==1.2 \\
    --hash=sha256:{OTHER} \\
    --hash=sha256:{ONE}
Another.Package==3 ; python_full_version < '3.12' \\
    --hash=sha256:{ONE}
"""
LISTED = {
    "a-package": Package("a-package", "1.2", (ONE, OTHER)),
    "another-package": Package("another-package", "3", (ONE,)),
}
INSTALLED = {
    "a-package": Package("a-package", "1.2", licence="MIT"),
    "another-package": Package("another-package", "3", licence="Own terms"),
    "pip": Package("pip", "24.0", licence="MIT"),
}
IMAGE = f"us-central1-docker.pkg.dev/team/vertex-vllm/python-steps@sha256:{ONE}"
STATUS = """\
Package: libc6
Status: install ok installed
Version: 2.41-12
Description: shared libraries
 Version: not this one

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def test_the_list_is_read_with_the_hashes_of_its_files() -> None:
    assert listed_packages(LIST) == LISTED


def test_the_list_of_the_project_is_read_whole() -> None:
    text = (ROOT / "constraints" / "image.hashes").read_text()
    found = listed_packages(text)
    assert len(found) == text.count("==") - text.count(" ; ")
    assert sum(len(each.files) for each in found.values()) == text.count("--hash=sha256:")
    assert all(each.files for each in found.values())


def test_debian_s_installed_packages_are_read() -> None:
    assert debian_packages(STATUS) == [Package("libc6", "2.41-12")]


def test_what_is_installed_as_listed_may_be_there_with_what_the_base_image_brings() -> None:
    found = as_listed(INSTALLED, LISTED)
    assert found == [
        Package("a-package", "1.2", (ONE, OTHER), "MIT"),
        Package("another-package", "3", (ONE,), "Own terms"),
        Package("pip", "24.0", (), "MIT"),
    ]


@pytest.mark.parametrize(
    ("installed", "fault"),
    [
        (INSTALLED | {"stranger": Package("stranger", "9")}, "stranger 9 is not listed"),
        (INSTALLED | {"a-package": Package("a-package", "1.3")}, "a-package 1.3 is not listed"),
        ({"a-package": INSTALLED["a-package"]}, "another-package is not installed"),
    ],
)
def test_any_other_package_stops_the_build(installed: dict[str, Package], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        as_listed(installed, LISTED)


def test_the_bill_is_valid_and_names_image_packages_and_files() -> None:
    text = image_bill(as_listed(INSTALLED, LISTED), debian_packages(STATUS), IMAGE)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"] == {
        "bom-ref": "image",
        "name": IMAGE.partition("@")[0],
        "version": f"sha256:{ONE}",
        "purl": f"pkg:oci/python-steps@sha256:{ONE}?repository_url={IMAGE.partition('@')[0]}",
        "type": "container",
    }
    components = {each["purl"]: each for each in bill["components"]}
    names = ("pypi/a-package@1.2", "pypi/another-package@3", "pypi/pip@24.0", f"deb/{'debian'}/libc6@2.41-12")
    assert set(components) == {f"pkg:{name}" for name in names}
    package = components["pkg:pypi/a-package@1.2"]
    assert package["licenses"] == [{"license": {"id": "MIT"}}]
    assert [each["value"] for each in package["properties"]] == [ONE, OTHER]


def test_the_same_packages_give_the_same_bytes() -> None:
    packages = [*LISTED.values()]
    assert image_bill(packages, (), IMAGE) == image_bill(reversed(packages), (), IMAGE)


def test_the_bill_beside_the_sources_is_of_the_list_in_them(tmp_path: Path) -> None:
    for name, text in (("Dockerfile", "FROM x"), (".dockerignore", ""), ("constraints/image.hashes", LIST)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert bill_of_archive(read_sources(tmp_path).archive, IMAGE) == image_bill(LISTED.values(), (), IMAGE)
    (tmp_path / "constraints/image.hashes").unlink()
    assert bill_of_archive(read_sources(tmp_path).archive, IMAGE) == ""


def test_this_environment_has_the_versions_of_the_list() -> None:
    """It holds more: development's packages and the local cloud's."""
    listed = listed_packages((ROOT / "constraints" / "image.hashes").read_text())
    installed = installed_packages()
    assert {name: installed[name].version for name in listed} == {name: each.version for name, each in listed.items()}
    assert as_listed({name: installed[name] for name in listed}, listed) == [
        replace(installed[name], files=listed[name].files) for name in listed
    ]
