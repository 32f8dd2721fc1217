"""Google Cloud Storage on one machine: the JSON API and the XML API's objects, streaming to disk."""

from localcloud.services.storage.part_requests import PartRequest, part_requests
from localcloud.services.storage.storage_app import StorageApp, create_app

__all__ = ["PartRequest", "StorageApp", "create_app", "part_requests"]
