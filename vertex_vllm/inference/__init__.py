"""Requests to a deployed model: one client for all of Vertex AI's methods, and the smoke tests."""
