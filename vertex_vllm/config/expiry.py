"""Lifetime of the resources of a run: `ttl` in a config, and the resulting moment in one run."""

import re
from datetime import UTC, datetime, timedelta

from vertex_vllm.errors import InputError

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
# A deploy itself may take two hours: an endpoint with a shorter life would expire before its first request.
SHORTEST, LONGEST = timedelta(minutes=30), timedelta(days=365)
MEANING = "a time to live from 30m to 365d: a whole number of m, h or d, for example 8h or 7d"


def lifetime(ttl: str) -> timedelta | None:
    """`90m`, `8h`, `7d` as a timedelta; None for "" (for ever). Raises InputError for any other text."""
    if not ttl:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", ttl)
    span = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not SHORTEST <= span <= LONGEST:
        raise InputError(f"{ttl!r} is not {MEANING}", where="ttl", fix="Leave it empty for what is to stay.")
    return span


def expiry(ttl: str, run_started: str) -> datetime | None:
    """Time from which a sweep may remove the run's resources; None: never.

    `run_started` is the pipeline job's creation time in ISO 8601: every step of a run computes the same moment, and so
    does a step that is retried. Raises InputError for a malformed `ttl` or time.
    """
    span = lifetime(ttl)
    if span is None:
        return None
    try:
        started = datetime.fromisoformat(run_started)
    except ValueError:
        raise InputError(
            f"{run_started!r} is not a time in ISO 8601", where="run_started", fix="Leave it to the pipeline."
        ) from None
    return (started if started.tzinfo else started.replace(tzinfo=UTC)).astimezone(UTC) + span
