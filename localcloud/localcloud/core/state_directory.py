"""The paths in a state directory. `run/` belongs to one run of the daemon; the other folders survive it."""

import os
import secrets
import stat
from pathlib import Path


class ForeignStateError(Exception):
    """A state folder prepared by another user of the machine, whose files could choose the programs that run."""


class StateDirectory:
    """All paths; `create()` makes the folders, readable by their owner alone, even if they exist."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.store = self.root / "store.db"
        self.secrets = self.root / "secrets.db"
        self.token = self.root / "token"
        self.authority = self.root / "ca"
        self.bundle = self.authority / "bundle.pem"
        self.storage = self.root / "storage"
        self.hub = self.root / "hub"
        self.gcloud = self.root / "gcloud"
        self.logs = self.root / "logs"
        self.daemon_log = self.logs / "daemon.log"
        self.container_logs = self.logs / "containers"
        self.last_ports = self.root / "ports.json"
        self.clock = self.root / "clock"
        self.images = self.root / "images.yaml"
        self.run = self.root / "run"
        self.lock = self.run / "lock"
        self.ready = self.run / "ready.json"
        self.pid = self.run / "daemon.pid.json"
        self.children = self.run / "children"
        self.access_token = self.run / "access-token"
        self.access_tokens = self.run / "access-tokens"
        """Credentials of accounts, by email address."""

    def create(self) -> None:
        """Raises as `require_own`."""
        self.require_own()
        for folder in (self.root, self.authority, self.storage, self.hub, self.gcloud, self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        for folder in (self.container_logs, self.children):
            folder.mkdir(parents=True, exist_ok=True)

    def require_own(self) -> None:
        """Raises ForeignStateError where the folder, or an entry of it or of `run`, is another user's or leads away.

        Their folders are readable by their owner alone, so nobody else reaches what lies deeper.
        """
        for folder in (self.root, self.run):
            if folder.exists():
                for path in (folder, *folder.iterdir()):
                    _require_own(path)

    def seed(self) -> str:
        """The seed of generated ids: written once, read ever after; write the file beforehand for known ids."""
        path = self.root / "seed"
        if not path.exists():
            path.write_text(secrets.token_hex(16))
        return path.read_text().strip()


def _require_own(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return  # A running daemon creates and deletes SQLite's journal.
    if stat.S_ISLNK(found.st_mode):
        raise ForeignStateError(f"{path} is a symbolic link. Remove it, or use another state folder.")
    if found.st_uid != os.geteuid():
        raise ForeignStateError(f"{path} belongs to another user, uid {found.st_uid}. Use another state folder.")
