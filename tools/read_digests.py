"""Reads the digests of the catalogue's serving images from Artifact Registry.

    python -m tools.read_digests              # prints each tag with its digest, and where the catalogue has another
    python -m tools.read_digests --write      # puts the digests into vertex_vllm/catalog/images.yaml
    python -m tools.read_digests --anonymous  # asks by Docker's protocol, without the caller's credentials

Plans name an image by this digest. Images with a moving tag are left out, because their digest changes. Exit code 1
if a tag points at another digest than the recorded one, or does not exist; 2 if the registry refuses. The caller's
credentials need to read the repository; Google's are public. The workflow `digests` asks without any.
"""

import argparse
import datetime
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from tools.base_digests import find_base_digest
from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.rows import Image
from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.publishing.image_digest import find_digest

IMAGES = Path(__file__).resolve().parent.parent / "vertex_vllm" / "catalog" / "images.yaml"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the digests into the catalogue")
    parser.add_argument("--anonymous", action="store_true", help="ask without credentials, as docker pull does")
    given = parser.parse_args(arguments)
    find = find_anonymously if given.anonymous else find_digest
    images = [image for image in load_catalog().images.values() if is_fixed(image)]
    try:
        found = {image.tag: digest for image in images if (digest := find(image.uri))}
    except (InputError, ServiceError, requests.RequestException, KeyError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    told = {image.tag: compared(image, found.get(image.tag, "")) for image in images}
    for tag, text in told.items():
        print(f"{tag}  {text}")
    if given.write:
        today = datetime.datetime.now(datetime.UTC).date()
        IMAGES.write_text(with_digests(IMAGES.read_text(encoding="utf-8"), found, today), encoding="utf-8")
    return int(any(text.startswith(("moved", "gone")) for text in told.values()))


def find_anonymously(image: str) -> str | None:
    """`sha256:…` of the tag; None if the registry does not have the tag. Raises the errors of `digest_at`."""
    try:
        return find_base_digest(image)
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code == requests.codes.not_found:
            return None
        raise


def is_fixed(image: Image) -> bool:
    """Whether an image has a fixed tag in a repository, and plans may choose it."""
    return image.variant == "gpu" and not image.floating and ":" in image.uri


def compared(image: Image, digest: str) -> str:
    """The digest, with a remark if the catalogue has another digest or the registry has none."""
    if not digest:
        return "gone: the registry has no such tag"
    if image.digest not in ("", digest):
        return f"moved: {digest}, where the catalogue has {image.digest} of {image.digest_date}"
    return digest


def with_digests(text: str, digests: Mapping[str, str], today: datetime.date) -> str:
    """The text of images.yaml with `digest` and its date in the rows of these tags; a row with that digest is kept."""
    lines = []
    for line in text.splitlines():
        tag = line.partition("tag: ")[2].partition(",")[0]
        if tag in digests and line.lstrip().startswith("- {repository: "):
            before, _, rest = line.partition(f"tag: {tag}, ")
            if rest.startswith(f'digest: "{digests[tag]}"'):
                lines.append(line)
                continue
            rest = re.sub(r'^digest: "[^"]*", (digest_date: [0-9-]+, )?', "", rest)
            line = f'{before}tag: {tag}, digest: "{digests[tag]}", digest_date: {today}, {rest}'
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
