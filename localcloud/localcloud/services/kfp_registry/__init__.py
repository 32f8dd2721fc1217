"""The registry of pipeline templates, whose packages are those of Artifact Registry."""
