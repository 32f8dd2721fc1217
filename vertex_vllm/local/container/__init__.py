"""Model Garden's `pytorch-vllm-serve` container on this machine, around real vLLM for the CPU."""
