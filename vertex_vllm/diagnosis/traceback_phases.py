"""The phase of vLLM's start in which a traceback was raised, judged by the frame that was printed last."""

FRAMES = {
    "in profile_run": "profile",
    "in determine_available_memory": "profile",
    "in initialize_kv_cache": "cache",
    "in _allocate_kv_cache": "cache",
    "in compile_or_warm_up_model": "warmup",
    "in kernel_warmup": "warmup",
    "in capture_model": "capture",
    "in profile_cudagraph_memory": "capture",
    "in _capture_cudagraphs": "capture",
    "in create_engine_config": "config",
    "in create_model_config": "config",
    "in load_model": "load",
    "in execute_model": "execute",
    "in load_lora_adapter": "adapter",
    "in add_lora": "adapter",
    "in set_lora": "adapter",
    "in add_adapter": "adapter",
    "in _load_adapter": "adapter",
    "in activate_adapter": "adapter",
    "in from_local_checkpoint": "adapter",
    "for SpeculativeConfig": "speculative",
    "gcs_download_launcher": "copy",
    "Copying gs://": "copy",
    "could not be fetched": "copy",
}
"""Text of a frame, or of a line of the container, → the phase that a rule of `rules/` may ask for."""
