"""Registration of Cloud Storage."""

from starlette.types import ASGIApp

from localcloud.core.cloud import Cloud
from localcloud.core.registration import Host, Registration
from localcloud.services.iam.deleted_members import PolicyKeepers
from localcloud.services.storage.cloud_access import CloudAccess
from localcloud.services.storage.storage_app import create_app


def _app(cloud: Cloud) -> ASGIApp:
    app = create_app(
        cloud.state.storage,
        project_number=cloud.project_number,
        clock=cloud.clock,
        ids=cloud.ids,
        access=CloudAccess(cloud),
    )
    cloud.part(PolicyKeepers).add(app.rename_member)
    return app


SERVICE = Registration(
    api="storage", hosts=(Host("storage.googleapis.com"), Host("*.storage.googleapis.com")), app=_app
)
