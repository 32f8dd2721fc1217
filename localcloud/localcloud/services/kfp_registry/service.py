"""Registration of the registry of pipeline templates."""

from localcloud.core.registration import Host, Registration
from localcloud.services.kfp_registry import templates_app

SERVICE = Registration(api="kfp-registry", hosts=(Host("*-kfp.pkg.dev"),), app=templates_app.create_app)
