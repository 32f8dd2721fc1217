"""`python -m vertex_vllm.local.container --port P --ready-file F [--image URI] -- <the container's args>`

Ends with 0 on SIGTERM and at the end of stdin, with vLLM's exit code when vLLM ends, with 1 when the weights cannot be
fetched, and with what the image's entry point would end with when the args do not begin with a program.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vertex_vllm.local.container.container import Settings, run_container
from vertex_vllm.local.container.entrypoint import EntrypointError, read_command
from vertex_vllm.local.container.log import log


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    try:
        command = read_command(options.args)
    except EntrypointError as error:
        log(str(error))
        return error.exit_code
    return run_container(Settings(command, options.image, options.port, options.ready_file))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vertex_vllm.local.container", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to serve, on 127.0.0.1")
    parser.add_argument("--ready-file", type=Path, required=True, help="made when vLLM serves")
    parser.add_argument("--image", default="", help="URI of the image in whose place this runs")
    parser.add_argument("args", nargs="*", help="the container's args, after --")
    return parser.parse_args(argv)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: it would wait for downloads that were broken off.
    os._exit(code)
