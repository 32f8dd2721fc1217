"""The parts of the Hub and its content network that huggingface_hub and the mirror use."""

import hashlib
import re
from collections.abc import Sequence

from benchmarks.mirroring.content import File, pieces
from benchmarks.mirroring.names import COMMIT, MODEL
from benchmarks.mirroring.server import Answer, Handler, Request, as_json

_CONFIG = b'{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}'


def hub(files: Sequence[File], content_network: str) -> Handler:
    """Serves config.json itself, and redirects requests for large files to `content_network`."""
    by_path = {file.path: file for file in files}
    config_oid = hashlib.sha1(b"blob %d\0" % len(_CONFIG) + _CONFIG, usedforsecurity=False).hexdigest()
    tree = [{"type": "file", "oid": config_oid, "size": len(_CONFIG), "path": "config.json"}]
    tree += [
        {
            "type": "file",
            "oid": "b" * 40,
            "size": file.size,
            "path": file.path,
            "lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134},
        }
        for file in files
    ]
    info = {"id": MODEL, "modelId": MODEL, "sha": COMMIT, "siblings": [{"rfilename": one["path"]} for one in tree]}

    def answer(request: Request) -> Answer:
        if request.path.startswith(f"/api/models/{MODEL}/tree/"):
            return as_json(tree)
        if request.path.startswith(f"/api/models/{MODEL}"):
            return as_json(info)
        path = request.path.removeprefix(f"/{MODEL}/resolve/").partition("/")[2]
        headers = {"X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if path == "config.json":
            return Answer(200, {**headers, "ETag": f'"{config_oid}"'}, _CONFIG)
        if path not in by_path:
            return as_json({"error": "Entry not found"}, 404)
        linked = {"X-Linked-Size": str(by_path[path].size), "X-Linked-ETag": f'"{by_path[path].sha256}"'}
        return Answer(302, {**headers, **linked, "Location": f"{content_network}/{path}?Signature=x"})

    return answer


def content_network(files: Sequence[File]) -> Handler:
    sizes = {f"/{file.path}": file.size for file in files}

    def answer(request: Request) -> Answer:
        size = sizes[request.path]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]), size - 1) if asked and asked[2] else size - 1
        ranged = {"Content-Range": f"bytes {first}-{last}/{size}"} if asked else {}
        length = last - first + 1
        return Answer(206 if asked else 200, ranged, stream=pieces(first, length, size), length=length)

    return answer
