"""Vertex AI on one machine: models, endpoints, deployed models and their predictions."""
