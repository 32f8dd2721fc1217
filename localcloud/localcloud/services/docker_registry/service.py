"""Registration of the registry of images."""

from localcloud.core.registration import Host, Registration
from localcloud.services.docker_registry import manifests_app

SERVICE = Registration(
    api="docker-registry",
    hosts=(Host("*-docker.pkg.dev"), Host("gcr.io"), Host("*.gcr.io")),
    app=manifests_app.create_app,
)
