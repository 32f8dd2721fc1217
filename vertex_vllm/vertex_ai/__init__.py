"""Vertex AI's Models, Endpoints and operations: find by label, wait, cancel, undeploy, delete."""
