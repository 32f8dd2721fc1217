"""Faults, posted beforehand, that strike matching calls."""

from localcloud.faults.posted import Faults, Strike

__all__ = ["Faults", "Strike"]
