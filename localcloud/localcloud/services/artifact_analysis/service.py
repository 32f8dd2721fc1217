"""Registration of Artifact Analysis."""

from localcloud.core.registration import Host, Registration
from localcloud.services.artifact_analysis import occurrences_app

SERVICE = Registration(
    api="artifact-analysis", hosts=(Host("containeranalysis.googleapis.com"),), app=occurrences_app.create_app
)
