"""Pipelines: each file wires steps together and does nothing else; `make compile` writes them to `compiled/`."""
