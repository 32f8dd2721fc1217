"""vLLM versions: their order, ranges, and conclusions from checked releases about the releases between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from packaging.version import Version

Presence = Literal["present", "absent", "unknown"]


@cache
def version_key(version: str) -> Version:
    """Sort key by PEP 440: `0.10.2` after `0.9.2`, `0.8.5.post1` after `0.8.5`, `0.11.0rc2` before `0.11.0`."""
    return Version(version)


@dataclass(frozen=True)
class VersionRange:
    """The versions of which an image has one; both ends included, equal where the version is known."""

    earliest: str
    latest: str

    def __str__(self) -> str:
        return self.earliest if self.earliest == self.latest else f"{self.earliest} to {self.latest}"

    def holds(self, version: str) -> bool:
        return version_key(self.earliest) <= version_key(version) <= version_key(self.latest)

    def all_since(self, version: str) -> bool:
        return version_key(self.earliest) >= version_key(version)


@dataclass(frozen=True)
class Span:
    """The first and the last checked release with a feature; nothing is known of releases between two checked ones."""

    first: str
    last: str
    ended: bool = False
    """Whether vLLM itself says that `last` is the last version with the feature."""

    def presence(self, version: str, checked: Sequence[str]) -> Presence:
        """Whether one version has the feature."""
        at = version_key(version)
        if version_key(self.first) <= at <= version_key(self.last):
            return "present"
        if at > version_key(self.last):
            if self.ended:
                return "absent"
            after = [release for release in checked if version_key(release) > version_key(self.last)]
            return "absent" if after and at >= min(map(version_key, after)) else "unknown"
        before = [release for release in checked if version_key(release) < version_key(self.first)]
        return "absent" if before and at <= max(map(version_key, before)) else "unknown"

    def presence_in(self, versions: VersionRange | None, checked: Sequence[str]) -> Presence:
        """Whether the image's version has the feature; `versions` None: the image's version is unknown."""
        if versions is None:
            return "unknown"
        ends = {self.presence(versions.earliest, checked), self.presence(versions.latest, checked)}
        if ends == {"present"}:
            return "present"
        outside = version_key(versions.latest) < version_key(self.first) or version_key(
            versions.earliest
        ) > version_key(self.last)
        return "absent" if ends == {"absent"} and outside else "unknown"
