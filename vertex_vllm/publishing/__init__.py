"""Publishes specs: compiled for one image, in the registry of templates and in Cloud Storage."""
