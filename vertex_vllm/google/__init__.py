"""Access to Google Cloud: hosts, storage, secrets, quota limits, grants, and the boundary to its exceptions."""
