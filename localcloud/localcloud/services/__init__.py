"""The small Google services around Vertex AI and Cloud Storage."""
