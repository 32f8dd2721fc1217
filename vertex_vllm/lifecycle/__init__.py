"""Whose a resource is, where it can be found again, and how it goes away."""
