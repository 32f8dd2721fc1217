"""Continuous integration of configs: which deployments a change touches, whether they are right, what they come to."""
