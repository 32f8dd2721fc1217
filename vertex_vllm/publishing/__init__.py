"""Specs for everybody: compiled for one image, in the registry of templates and in Cloud Storage."""
