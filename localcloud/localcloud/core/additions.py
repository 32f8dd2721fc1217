"""Additions: modules and programs outside of the package, named by the caller who starts a local cloud."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Additions:
    """The additions of one local cloud, for as long as its daemon runs."""

    images: tuple[Path, ...] = ()
    """YAML files with rows as in the state folder's `images.yaml`: programs that run in the place of container
    images."""
    warm_modules: tuple[str, ...] = ()
    """Modules, besides kfp's, that are imported once for all pipeline steps: steps are forked from that process."""
    import_path: tuple[Path, ...] = ()
    """Folders in which the daemon and what it starts find Python modules, besides those of its own environment."""
