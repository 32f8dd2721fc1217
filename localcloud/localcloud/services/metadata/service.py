"""Registration of the metadata server, which has a port of its own instead of a host."""

from localcloud.core.registration import Registration
from localcloud.services.metadata import metadata_server

SERVICE = Registration(api="metadata", app=metadata_server.create_app)
