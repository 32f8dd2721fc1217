"""The init of an image: a first process that passes signals on and reaps children. This machine may lack it."""

from collections.abc import Sequence

_INITS = ("tini", "/usr/bin/tini", "dumb-init", "/usr/bin/dumb-init")


def without_init(command: Sequence[str]) -> list[str]:
    """`command` without its init: the daemon itself sends the signals and ends the remaining processes."""
    match list(command):
        case [init, "--", *rest] if init in _INITS and rest:
            return rest
    return list(command)
