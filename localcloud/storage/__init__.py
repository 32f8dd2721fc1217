"""Google Cloud Storage on one machine: the JSON API and the XML API's objects, streaming to disk."""

from localcloud.storage.app import StorageApp, create_app

__all__ = ["StorageApp", "create_app"]
