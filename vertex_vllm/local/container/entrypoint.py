"""The image's entry point: the command that it makes of the container's args.

The image's ENTRYPOINT, `gcs_download_launcher.sh`, fetches a gs:// model and then runs the args as a command line, so
that they have to begin with a program.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

MODEL_GARDEN_SERVER = "vllm.entrypoints.api_server"
UPSTREAM_SERVER = "vllm.entrypoints.openai.api_server"

_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")
# As the script of the image prints it, for args that begin with an option (seen with `:gemma4` in a public log).
_SCRIPT = "gcs_download_launcher.sh: line 319"
# Exit code of a shell for a program that does not exist.
_NOT_FOUND = 127


class EntrypointError(Exception):
    """The args cannot be run; `exit_code` is the container's."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Command:
    """`python -m <server> <flags>`."""

    server: str
    flags: tuple[str, ...]

    @property
    def speaks_vertex(self) -> bool:
        """Model Garden's own server has the route /generate; upstream's does not."""
        return self.server == MODEL_GARDEN_SERVER


def read_command(args: Sequence[str]) -> Command:
    """Raises EntrypointError for args that the image would not run, or this machine cannot."""
    if not args:
        raise EntrypointError("The container has no args, so its entry point has nothing to run.", 1)
    program = args[0]
    if not _PYTHON.fullmatch(program):
        raise _not_python(program)
    if len(args) < 3 or args[1] != "-m" or args[2] not in (MODEL_GARDEN_SERVER, UPSTREAM_SERVER):
        raise EntrypointError(
            f"This machine runs vLLM's servers only: python -m {MODEL_GARDEN_SERVER} or python -m {UPSTREAM_SERVER}; "
            f"the args begin with: {' '.join(args[:3])}",
            1,
        )
    return Command(args[2], tuple(args[3:]))


def _not_python(program: str) -> EntrypointError:
    if program.startswith("-") or shutil.which(program) is None:
        reason = "No such file or directory" if "/" in program else "command not found"
        return EntrypointError(f"{_SCRIPT}: {program}: {reason}", _NOT_FOUND)
    return EntrypointError(f"This machine runs vLLM's servers only (python -m …), not {program}.", 1)
