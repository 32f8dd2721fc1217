"""The additions of vertex-vllm to a local cloud: real vLLM in the place of its images, and the steps' imports.

Only the commands of `vertex_vllm.cli` that run a local cloud import this package, inside functions: it needs the extra
`local`.
"""

from pathlib import Path

from localcloud.core.additions import Additions

_HERE = Path(__file__).resolve().parent

ADDITIONS = Additions(
    images=(_HERE / "served_images.yaml",),
    warm_modules=("vertex_vllm.local.warm_steps",),
    import_path=(_HERE.parents[1],),
)
