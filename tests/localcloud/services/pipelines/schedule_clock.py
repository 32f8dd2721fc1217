"""A clock and schedules, as tests of schedules set them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from localcloud.daemon import Connection

HOUR = 3600


def offset_of(state_dir: Path) -> int:
    return int((state_dir / "clock").read_text()) if (state_dir / "clock").exists() else 0


def hourly(state_dir: Path) -> str:
    """A time half an hour ahead by the cloud's clock: no test lasts so long."""
    now = datetime.now(UTC) + timedelta(seconds=offset_of(state_dir))
    return f"{(now.minute + 30) % 60} * * * *"


def advance(cloud: Connection, hours: int) -> None:
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": hours * HOUR})
