"""Components that behave in every way in which a step can end."""

from kfp import dsl

component = dsl.component(base_image="python:3.11", install_kfp_package=False)


@component
def succeed(text: str) -> str:
    print("said", text)
    return text


@component
def fail(text: str) -> str:
    raise KeyError(text)


@component
def leave(text: str) -> str:
    import sys

    print("last words", file=sys.stderr)
    sys.exit(int(text))


@component
def kill_itself(text: str) -> str:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    return text


@component
def surroundings(text: str) -> dict:
    import os
    import sys
    import tempfile

    import kfp

    return {
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "temporary": tempfile.gettempdir(),
        "second on the path": sys.path[1],
        "leads no group": os.getpgid(0) != os.getpid(),
        "session is the group": os.getsid(0) == os.getpgid(0),
        "input": sys.stdin.read(),
        "has the client of a whole kfp": hasattr(kfp, "Client"),
        "descriptors": sorted(int(name) for name in os.listdir("/dev/fd"))[:3],
    }


@component
def tidy_at_sigterm(text: str) -> str:
    """Writes its process id to `text`, and on SIGTERM `text`.tidy."""
    import os
    import signal
    import sys

    def tidy(number: int, frame: object) -> None:
        with open(text + ".tidy", "w") as file:
            file.write("tidy")
        sys.exit(0)

    signal.signal(signal.SIGTERM, tidy)
    with open(text, "w") as file:
        file.write(str(os.getpid()))
    while True:
        signal.pause()


@component
def ignore_sigterm(text: str) -> str:
    import os
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(text, "w") as file:
        file.write(str(os.getpid()))
    while True:
        signal.pause()


@component
def leave_a_child(text: str) -> str:
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    with open(text, "w") as file:
        file.write(str(child.pid))
    return text
