"""Pipelines: each file wires steps together and does nothing else. `python -m pipelines.compile` writes them to `compiled/`."""
