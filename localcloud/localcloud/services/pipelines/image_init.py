"""The init of an image, which this machine need not have: a first process that hands signals on and reaps."""

from collections.abc import Sequence

_INITS = ("tini", "/usr/bin/tini", "dumb-init", "/usr/bin/dumb-init")


def without_init(command: Sequence[str]) -> list[str]:
    """`command` as its init would start it. Here the daemon sends the signals and collects what is left over."""
    match list(command):
        case [init, "--", *rest] if init in _INITS and rest:
            return rest
    return list(command)
