"""Facts of a model: config.json, safetensors headers, and the kinds of tokenizer, adapter and repository."""
