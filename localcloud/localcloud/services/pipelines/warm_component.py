"""Replaces the shell script by which kfp starts a Python component, so that a forked process can run it.

`python -m localcloud.services.pipelines.warm_component HOW SOURCE ARGUMENT…`

HOW: `wait` for a script whose shell waits for the interpreter, its child; `exec` for one that executes it: signals and
exit codes are the same as without a fork server.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localcloud.process.main_program import run_as_main
from localcloud.services.pipelines import step_interpreter
from localcloud.services.pipelines.image_init import without_init

MODULE = "localcloud.services.pipelines.warm_component"

# kfp 2.17.0, `component_factory._get_command_and_args_for_lightweight_component`, without packages to install.
_WAIT = (
    'program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" '
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main "
    '--component_module_path "$program_path/ephemeral_component.py" "$@"'
)
_HOW = {script: how for how, script in (("wait", _WAIT), ("exec", _WAIT.replace(" python3 ", " exec python3 ")))}


def component_arguments(command: Sequence[str]) -> list[str] | None:
    """The arguments of this module with the effect of `command`; None if that is not a Python component's command."""
    match without_init(command):
        case ["sh", "-ec", script, source, *arguments] if how := _HOW.get(" ".join(script.split())):
            return [how, source, *arguments]
    return None


def main() -> None:
    how, source, *arguments = sys.argv[1:]
    program = Path(tempfile.mkdtemp()) / "ephemeral_component.py"
    program.write_text(source)
    interpreter = os.fork() if how == "wait" else 0
    if interpreter:
        _, status = os.waitpid(interpreter, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)
    os.environ["_KFP_RUNTIME"] = "true"
    sys.path.insert(0, os.getcwd())  # as `python3 -m` does
    step_interpreter.prepare()
    run_as_main("kfp.dsl.executor_main", ["--component_module_path", str(program), *arguments])


if __name__ == "__main__":
    main()
