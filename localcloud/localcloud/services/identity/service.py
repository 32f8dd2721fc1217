"""Registration of the services that exchange one credential for another."""

from localcloud.core.registration import Host, Registration
from localcloud.services.identity import identity_app

_HOSTS = ("oauth2.googleapis.com", "iamcredentials.googleapis.com", "sts.googleapis.com")

SERVICE = Registration(api="identity", hosts=tuple(map(Host, _HOSTS)), app=identity_app.create_app)
