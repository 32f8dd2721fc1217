"""Pipeline steps: each file is one KFP component that calls one function of `vertex_vllm`."""
