"""Artifact Analysis: what is known of images, such as how they were built."""
