"""Files at the top of the repository that an installed wheel holds inside the package.

setup.py copies them there: the compiled pipelines, the demo's configs, and the lists of packages with their hashes.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

CHECKOUT: Path | None = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None
"""The top of the repository; None in an installed wheel."""


def shipped(path: str) -> Path:
    """The file or folder `path`, written as from the top of the repository: `compiled/deploy.yaml`."""
    return (CHECKOUT or _PACKAGE) / path
