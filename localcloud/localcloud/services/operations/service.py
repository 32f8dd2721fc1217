"""Registration of long-running operations, whose methods every Google API has."""

from localcloud.core.registration import Registration
from localcloud.services.operations import polling

SERVICE = Registration(api="operations", handlers=(polling.service,))
