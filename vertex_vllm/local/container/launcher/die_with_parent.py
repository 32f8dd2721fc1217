"""On import, has the kernel kill the process, and every process forked from it, when its parent ends."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_die_with_parent()
os.register_at_fork(after_in_child=_die_with_parent)
