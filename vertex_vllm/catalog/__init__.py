"""Facts of machines, images, vLLM and models: data, with its source and date on every row."""

from vertex_vllm.catalog.catalog import Catalog, Missing
from vertex_vllm.catalog.loading import load_catalog

__all__ = ["Catalog", "Missing", "load_catalog"]
