"""Memory of one GPU while vLLM serves a model, term by term, each as an interval with its source.

The terms and the order of the subtraction are those of vLLM's `gpu_worker.determine_available_memory`. Nothing here
opens a connection; all amounts are bytes on one GPU.
"""
