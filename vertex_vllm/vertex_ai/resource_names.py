"""Parses and compares resource names of Vertex AI.

Vertex answers with the project's *number* where it was asked with the project's id, and names a Model with or without
`@version`: two names are compared by region, kind, id and version, never as text.
"""

import re
from dataclasses import dataclass, replace
from typing import Self

from vertex_vllm.errors import InputError
from vertex_vllm.google.regional_hosts import REGION, vertex_ai_host

# A project's id, `example.com:name` included, or its number.
_PROJECT = r"[a-z0-9][a-z0-9.:-]*"
_ID = r"[^/@:?#%\s]+"
_NAME = re.compile(
    rf"projects/(?P<project>{_PROJECT})/locations/(?P<region>{REGION})/(?P<kind>[a-zA-Z]+)/(?P<id>{_ID})(?:@(?P<version>{_ID}))?"
)


@dataclass(frozen=True)
class ResourceName:
    """`projects/PROJECT/locations/REGION/KIND/ID[@VERSION]`, for example an Endpoint or a version of a Model."""

    project: str
    region: str
    kind: str
    id: str
    version: str = ""

    @classmethod
    def parse(cls, name: str, kind: str) -> Self:
        """The parts of `name`. Raises InputError unless it is a resource name of that kind (`endpoints`, `models`)."""
        match = _NAME.fullmatch(name)
        if match is None or match["kind"] != kind:
            raise InputError(
                f"`{name}` is not the resource name of one of Vertex AI's {kind}",
                fix=f"Give it as projects/PROJECT/locations/REGION/{kind}/ID.",
            )
        return cls(match["project"], match["region"], kind, match["id"], match["version"] or "")

    @property
    def host(self) -> str:
        """Host of Vertex AI in the resource's region."""
        return vertex_ai_host(self.region)

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def unversioned(self) -> Self:
        return replace(self, version="")

    def with_version(self, version: str) -> Self:
        return replace(self, version=version)

    def names_same(self, other: "ResourceName") -> bool:
        """Whether both name one resource. Projects are not compared: one may be an id, the other a number."""
        return replace(self, project="") == replace(other, project="")

    def __str__(self) -> str:
        name = f"{self.parent}/{self.kind}/{self.id}"
        return f"{name}@{self.version}" if self.version else name
