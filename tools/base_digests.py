"""Reads the digests of the base image and of the builders from their registries, and writes them where they are used.

    python -m tools.base_digests            # prints each image with its digest, and which tags have moved
    python -m tools.base_digests --write    # puts the digests into constraints/images.yaml and behind the tags

Exit code 1 if a tag points at another digest than the recorded one, 2 if a registry refuses. No credentials: all of
them are public. The protocol is that of OCI's distribution specification, "Pulling manifests" and "Token
authentication".
"""

import argparse
import datetime
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parents[1]
# File that names an image which runs code of a build → pattern of the text before the image's name.
USES = {
    "Dockerfile": r"^FROM ",
    "cloudbuild.yaml": r"^    name: ",
    "vertex_vllm/publishing/building.py": r'^_BUILDER = "',
}
LOCK = ROOT / "constraints" / "images.yaml"
_IMAGE = r"(?P<image>[a-z0-9][a-z0-9./-]*(?::[A-Za-z0-9_.-]+)?)(?P<digest>@sha256:[0-9a-f]{64})?"
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in ("oci.image.index.v1", "docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2")
)
_SECONDS = 30


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the digests into the files")
    given = parser.parse_args(arguments)
    recorded = {row["image"]: row for row in yaml.safe_load(LOCK.read_text(encoding="utf-8"))["images"]}
    try:
        found = {image: find_base_digest(image) for image in recorded}
    except (requests.RequestException, KeyError, ValueError) as error:
        print(f"error: a registry gave no digest: {error}", file=sys.stderr)
        return 2
    for image, digest in found.items():
        print(f"{image}  {moved(recorded[image], digest)}")
    if given.write:
        today = datetime.datetime.now(datetime.UTC).date()
        LOCK.write_text(with_recorded(LOCK.read_text(encoding="utf-8"), found, today), encoding="utf-8")
        for name, before in USES.items():
            text = (ROOT / name).read_text(encoding="utf-8")
            (ROOT / name).write_text(with_base_digests(text, before, found), encoding="utf-8")
        return 0
    return int(any(recorded[image]["digest"] != digest for image, digest in found.items()))


def moved(row: Mapping[str, Any], digest: str) -> str:
    """The digest, with the recorded one and its date where they differ."""
    same = row["digest"] == digest
    return digest if same else f"moved: {digest}, where {row['digest']} was recorded on {row['date']}"


def with_recorded(text: str, digests: Mapping[str, str], today: datetime.date) -> str:
    """constraints/images.yaml with these digests. Changed rows get the date `today`."""
    comment = text[: text.index("images:")]
    rows = yaml.safe_load(text)["images"]
    for row in rows:
        if row["digest"] != digests[row["image"]]:
            row |= {"digest": digests[row["image"]], "source": "the registry", "date": today}
    return comment + yaml.safe_dump({"images": rows}, sort_keys=False, width=120)


def images_in(text: str, before: str) -> Iterator[tuple[str, str]]:
    """(image with its tag, digest `sha256:…` or "") of each image in the text."""
    for match in re.finditer(before + _IMAGE, text, re.MULTILINE):
        yield match["image"], (match["digest"] or "").removeprefix("@")


def with_base_digests(text: str, before: str, digests: Mapping[str, str]) -> str:
    """The text with these digests behind their images."""

    def named(match: re.Match[str]) -> str:
        start = match[0][: match.start("image") - match.start()]
        return f"{start}{match['image']}@{digests[match['image']]}" if match["image"] in digests else match[0]

    return re.sub(before + _IMAGE, named, text, flags=re.MULTILINE)


def manifest_address(image: str) -> str:
    """Address of the image's manifest: `python:3.11-slim` is on Docker Hub; a host names another registry."""
    name, _, tag = image.partition(":")
    host, slash, path = name.partition("/")
    if not slash or "." not in host:
        host, path = "registry-1.docker.io", name if slash else f"library/{name}"
    return f"https://{host}/v2/{path}/manifests/{tag or 'latest'}"


def challenge_of(header: str) -> tuple[str, dict[str, str]]:
    """The token's address and parameters in `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', header))
    return fields.pop("realm"), fields


def find_base_digest(image: str) -> str:
    """`sha256:…` of the manifest that the image's tag points at. Raises the errors of `digest_at`."""
    return digest_at(manifest_address(image))


def digest_at(address: str) -> str:
    """`sha256:…` of the manifest at an address of a registry, requested without credentials.

    Raises requests.RequestException; KeyError if the answer has no challenge or digest; ValueError if the digest
    is malformed, because it is written into files that builds read.
    """
    answer = _head(address, {})
    if answer.status_code == requests.codes.unauthorized:
        realm, parameters = challenge_of(answer.headers["WWW-Authenticate"])
        given = requests.get(realm, params=parameters, timeout=_SECONDS)
        given.raise_for_status()
        token = given.json()
        answer = _head(address, {"Authorization": f"Bearer {token.get('token') or token['access_token']}"})
    answer.raise_for_status()
    if answer.status_code != requests.codes.ok:
        raise ValueError(f"{address} answered {answer.status_code}")
    digest = str(answer.headers["Docker-Content-Digest"])
    if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"{address} answered {digest[:100]!r}, which is not a digest")
    return digest


def _head(address: str, headers: Mapping[str, str]) -> requests.Response:
    wanted = {"Accept": _MANIFESTS, **headers}
    return requests.head(address, headers=wanted, timeout=_SECONDS, allow_redirects=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
