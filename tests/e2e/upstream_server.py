"""Real vLLM like an image without Model Garden's front: vLLM's own server listens on the port that the args name.

    python -m tests.e2e.upstream_server FOLDER {port} -- python -m vllm.entrypoints.api_server --port=8080 …

Port 8080, which a plan names, is the container's on Vertex AI; here the local cloud chose another in its place. Any
other port in the args is taken as it is. Weights and caches are below FOLDER, which the caller removes.
"""

import os
import sys
from pathlib import Path

from vertex_vllm.local.container.fetched_weights import fetch_weights
from vertex_vllm.local.container.vllm_server import server_variables
from vertex_vllm.local.serving_runtime import ensure_runtime
from vertex_vllm.planning.arguments import PORT

SERVER = "vllm.entrypoints.openai.api_server"


def main(folder_name: str, port: str, words: list[str]) -> None:
    directory = Path(folder_name)
    directory.mkdir(exist_ok=True)
    flags = [f"--port={port}" if word == f"--port={PORT}" else word for word in words[3:]]
    (uri,) = [word.partition("=")[2] for word in flags if word.startswith("--model=")]
    folder = fetch_weights(uri, directory / "model", print)
    flags = [f"--model={folder}" if word.startswith("--model=") else word for word in flags]
    variables = {**server_variables(directory, os.environ, offline=True), "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    python = str(ensure_runtime(print))
    sys.stdout.flush()
    os.execve(python, [python, "-P", "-m", SERVER, *flags], variables)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[sys.argv.index("--") + 1 :])
