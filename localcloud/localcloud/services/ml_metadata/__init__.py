"""Vertex ML Metadata: stores, and the contexts, executions and artifacts of experiments in them."""
