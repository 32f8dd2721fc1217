"""Names that a mirror writes of its own beside the files of the model."""

MANIFEST_NAME = "vertex-vllm-manifest.json"
BESIDE_THE_WEIGHTS = frozenset({MANIFEST_NAME})
"""A repository may not have a file of such a name, and a deployment is not stopped by one."""
