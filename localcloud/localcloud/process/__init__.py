"""Processes that are forked from one that has already imported their modules, which is faster than a new start."""
