"""Effects of faults that HTTP and gRPC share."""

import os
import signal

from localcloud.core.operation_run import Fate
from localcloud.faults.kinds import OperationError, OperationFault
from localcloud.faults.refusals import api_error


def crash() -> None:
    """Kills the daemon at once, without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


def fate_of(fault: OperationFault) -> Fate:
    if isinstance(fault, OperationError):
        return Fate(api_error(fault), after_seconds=fault.after_seconds)
    return Fate(None, ignores_cancel=fault.ignores_cancel)
