"""Asking a deployed model: one client for every way there is, and the smoke tests that use it."""
