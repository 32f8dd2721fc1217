"""Google Cloud Storage on one machine: the JSON API and the XML API's objects, streaming to disk."""

from localcloud.storage.app import StorageApp, create_app
from localcloud.storage.part_requests import PartRequest, part_requests

__all__ = ["PartRequest", "StorageApp", "create_app", "part_requests"]
