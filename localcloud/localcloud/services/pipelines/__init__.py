"""Vertex AI Pipelines on one machine: the submitted spec, run task by task, each in a process of its own."""
