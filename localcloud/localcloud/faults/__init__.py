"""How the local cloud misbehaves: faults posted beforehand, that strike the calls they are meant for."""

from localcloud.faults.posted import Faults, Strike

__all__ = ["Faults", "Strike"]
