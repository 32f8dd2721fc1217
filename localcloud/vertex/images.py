"""Which container images can run on this machine, and as which program: the rows of `images.yaml`."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from localcloud.errors import ApiError

FILE_NAME = "images.yaml"


@dataclass(frozen=True)
class Image:
    """A row of `images.yaml`."""

    glob: str
    command: tuple[str, ...]


def find_image(image_uri: str, state_dir: Path) -> Image:
    """The row for `image_uri`; rows of the state directory come first.

    Raises ApiError INVALID_ARGUMENT that says what can run here, and begins as Vertex AI's refusal of an image does;
    FAILED_PRECONDITION when the state directory's file is malformed.
    """
    rows = (*_own_rows(state_dir / FILE_NAME), *_shipped_rows())
    for row in rows:
        if fnmatchcase(image_uri, row.glob):
            return row
    raise ApiError(
        "INVALID_ARGUMENT",
        f'Invalid image "{image_uri}" for deployment. Please use a Model with a valid image. '
        f"This machine can run: {', '.join(row.glob for row in rows)}. "
        f"To run a program of your own as this image, name both in {state_dir / FILE_NAME}.",
    )


def _shipped_rows() -> tuple[Image, ...]:
    return _rows(yaml.safe_load(resources.files("localcloud.vertex").joinpath(FILE_NAME).read_text()))


def _own_rows(path: Path) -> tuple[Image, ...]:
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
    if not isinstance(row, dict) or row.keys() != {"image", "command"}:
        raise ValueError(f"expected a row with `image` and `command`, found {row!r}")
    command = row["command"]
    if not isinstance(row["image"], str) or not isinstance(command, list) or not command:
        raise ValueError(f"expected `image` to be a text and `command` a list that is not empty, found {row!r}")
    return Image(row["image"], tuple(str(word) for word in command))
