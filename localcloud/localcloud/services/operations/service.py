"""Registration of long-running operations: every API of Google's has these methods among its own."""

from localcloud.core.registration import Registration
from localcloud.services.operations import polling

SERVICE = Registration(api="operations", handlers=(polling.service,))
