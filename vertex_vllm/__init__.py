"""From an open model on Hugging Face to a tested vLLM endpoint on Vertex AI, and back to nothing rented."""

__version__ = "0.1.0"
