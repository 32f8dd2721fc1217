"""The settings that all files of a mirror share."""

import json
from dataclasses import asdict, dataclass

from vertex_vllm.mirror.transfer_options import Transfer


@dataclass(frozen=True)
class Job:
    """Holds the token: it goes to a worker through a socket, never as an argument."""

    model_id: str
    commit: str
    token: str | None
    destination: str
    """`gs://bucket/prefix`."""
    project: str
    transfer: Transfer

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        fields = json.loads(text)
        return cls(**{**fields, "transfer": Transfer(**fields["transfer"])})
