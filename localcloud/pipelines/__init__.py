"""Vertex AI Pipelines on one machine: the submitted spec, run task by task with kfp.local in a process of its own."""
