"""Names of the objects that a mirror adds to the files of the model.

Neither vLLM nor transformers reads a file of such a name: vLLM 0.32.0 loads weights by the patterns *.safetensors,
*.bin and *.pt (`default_loader.py`), and other files by their full names.
"""

MANIFEST_NAME = "vertex-vllm-manifest.json"
BILL_OF_MATERIALS_NAME = "vertex-vllm-model.cdx.json"
"""CycloneDX: the model, its licence and its files."""
SIGNATURE_NAME = "vertex-vllm-model.sig"
"""A sigstore bundle, present where the config has a signing key."""
BESIDE_THE_WEIGHTS = frozenset({MANIFEST_NAME, BILL_OF_MATERIALS_NAME, SIGNATURE_NAME})
"""Reserved names: a repository may not have such a file; beside a mirror they are no fault."""
