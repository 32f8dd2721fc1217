"""What Model Garden's `pytorch-vllm-serve` container does, on this machine, around real vLLM for the CPU."""
