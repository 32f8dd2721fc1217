"""The account of a forked process: google-auth reads the metadata server's address when it is imported, once."""

import importlib
import sys

_READ_WHEN_IMPORTED = ("google.auth.compute_engine._metadata",)


def read_environment_again() -> None:
    """Makes google-auth read the environment again, in a fork with another account than the fork server's."""
    for name in _READ_WHEN_IMPORTED:
        if name in sys.modules:
            importlib.reload(sys.modules[name])
