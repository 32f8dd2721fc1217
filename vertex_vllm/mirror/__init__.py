"""The data plane: a model's files from the Hugging Face Hub into Cloud Storage, streamed and verified."""

from vertex_vllm.mirror.destination import destination
from vertex_vllm.mirror.manifest import Manifest, MirroredFile
from vertex_vllm.mirror.mirror import mirror_weights
from vertex_vllm.mirror.progress import Progress, log_progress

__all__ = ["Manifest", "MirroredFile", "Progress", "destination", "log_progress", "mirror_weights"]
