"""The data plane: a model's files from the Hugging Face Hub into Cloud Storage, streamed and verified."""

from vertex_vllm.mirror.destination import destination
from vertex_vllm.mirror.manifest import Manifest, MirroredFile
from vertex_vllm.mirror.mirror import Comparison, compare, mirror_weights
from vertex_vllm.mirror.needed_files import Selection
from vertex_vllm.mirror.progress import FileProgress, Progress, ProgressLog
from vertex_vllm.mirror.transfer_options import Transfer
from vertex_vllm.mirror.wholeness import require_whole

__all__ = [
    "Comparison",
    "FileProgress",
    "Manifest",
    "MirroredFile",
    "Progress",
    "ProgressLog",
    "Selection",
    "Transfer",
    "compare",
    "destination",
    "mirror_weights",
    "require_whole",
]
