"""Vertex AI's Models, Endpoints and operations: found by label, waited for, cancelled, undeployed, deleted."""
