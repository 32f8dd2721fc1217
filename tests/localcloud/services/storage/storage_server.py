"""Cloud Storage in a process of its own: `python storage_server.py DATA_DIR` writes its port, then serves."""

import random
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import uvicorn

from localcloud.services.storage import StorageApp, create_app


class RandomIds:
    """A source of ids: the same seed gives the same ids, also in a second process over the same data."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def hex(self, length: int = 32) -> str:
        return f"{self._random.getrandbits(4 * length):0{length}x}"


def storage_app(data_dir: Path) -> StorageApp:
    return create_app(data_dir, project_number=project_number, clock=lambda: datetime.now(UTC), ids=RandomIds())


def project_number(project: str) -> int:
    return crc32(project.encode())


if __name__ == "__main__":
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(storage_app(Path(sys.argv[1])), log_level="warning")).run([listener])
