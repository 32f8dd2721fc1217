"""Artifact Registry."""
