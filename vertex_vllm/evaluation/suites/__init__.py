"""Suites: the questions of an evaluation and when an answer is right, as data."""
