"""Pipeline jobs: sent to Vertex AI Pipelines, followed, cancelled."""
