"""Artifact Analysis: facts about images, such as how they were built."""
