"""`python -m vertex_vllm` is `vertex-vllm`."""

from vertex_vllm.cli import main

main()
