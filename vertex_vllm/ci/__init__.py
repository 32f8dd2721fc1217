"""Continuous integration of configs: the deployments that a change touches, their faults and their plans."""
