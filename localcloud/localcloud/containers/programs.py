"""The programs that run in the place of container images on this machine: rows of `images.yaml` files."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from localcloud.core.api_errors import ApiError


@dataclass(frozen=True)
class Image:
    """A row of an `images.yaml`."""

    glob: str
    """Matches the whole image URI, tag or digest included."""
    command: tuple[str, ...]
    """Stands for the image's ENTRYPOINT; the container spec's command, if any, and its args follow.

    {python} is the interpreter that runs the local cloud, {image} the image's URI, {port} the port to serve on (also in
    AIP_HTTP_PORT), {ready_file} a path that does not exist yet and that no other container is given.
    """
    variables: tuple[str, ...] = ()
    """Names of the daemon's environment variables that are passed on to the program."""


def find_image(image_uri: str, files: Sequence[Path]) -> Image:
    """The row for `image_uri`, from the first of `files` that has one. The first file is the user's own, if it exists.

    Raises ApiError INVALID_ARGUMENT that says which images can run here, and begins as Vertex AI's refusal of an image
    does; FAILED_PRECONDITION when a file is malformed.
    """
    rows = [row for file in files for row in _rows_in(file)]
    for row in rows:
        if fnmatchcase(image_uri, row.glob):
            return row
    raise ApiError(
        "INVALID_ARGUMENT",
        f'Invalid image "{image_uri}" for deployment. Please use a Model with a valid image. '
        f"This machine can run: {', '.join(row.glob for row in rows) or 'no image'}. "
        f"To run a program of your own as this image, name both in {files[0]}.",
    )


def _rows_in(path: Path) -> tuple[Image, ...]:
    if not path.exists():
        return ()
    try:
        return _rows(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValueError) as error:
        raise ApiError("FAILED_PRECONDITION", f"{path} is malformed: {error}") from error


def _rows(document: Any) -> tuple[Image, ...]:
    rows = document.get("images") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ValueError("expected `images:` with a list of rows")
    return tuple(_row(row) for row in rows)


def _row(row: Any) -> Image:
    if not isinstance(row, dict) or row.keys() - {"variables"} != {"image", "command"}:
        raise ValueError(f"expected a row with `image` and `command`, perhaps with `variables`, found {row!r}")
    command, variables = row["command"], row.get("variables", [])
    if not isinstance(row["image"], str) or not isinstance(command, list) or not command:
        raise ValueError(f"expected `image` to be a text and `command` a list that is not empty, found {row!r}")
    if not isinstance(variables, list):
        raise ValueError(f"expected `variables` to be a list of names, found {row!r}")
    return Image(row["image"], tuple(map(str, command)), tuple(map(str, variables)))
