"""The state that all operations of the local Cloud Storage share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from localcloud.services.storage.bytes_store import BytesStore, IdSource
from localcloud.services.storage.database import Database
from localcloud.services.storage.storage_access import Access, OpenAccess
from localcloud.services.storage.upload_rows import remove_resumable_before

# A resumable session "expires after one week" (cloud.google.com/storage/docs/resumable-uploads).
_SESSION_LIFETIME = timedelta(days=7)
METADATA_FILE = "metadata.sqlite3"


@dataclass(frozen=True)
class Backend:
    database: Database
    bytes: BytesStore
    project_number: Callable[[str], int]
    clock: Callable[[], datetime]
    ids: IdSource
    access: Access = field(default_factory=OpenAccess)

    def time(self) -> str:
        return format_time(self.clock())


def open_backend(
    data_dir: Path,
    project_number: Callable[[str], int],
    clock: Callable[[], datetime],
    ids: IdSource,
    access: Access | None = None,
) -> Backend:
    """Opens the buckets in `data_dir`, and deletes files that a killed process left incomplete."""
    data_dir.mkdir(parents=True, exist_ok=True)
    bytes_store = BytesStore(data_dir / "bytes", ids)
    database = Database(data_dir / METADATA_FILE, bytes_store.discard)
    with database.transaction() as transaction:
        remove_resumable_before(transaction, format_time(clock() - _SESSION_LIFETIME))
    bytes_store.sweep(database.referenced_blobs())
    return Backend(database, bytes_store, project_number, clock, ids, access or OpenAccess())


def format_time(time: datetime) -> str:
    """RFC 3339 with milliseconds, as Cloud Storage writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
