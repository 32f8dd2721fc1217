"""How Google Cloud is spoken to: hosts, credentials, storage, secrets, quota limits, the boundary to its exceptions."""
