"""What the operating system says of processes: a pid alone may belong to a stranger by now."""

import subprocess
from pathlib import Path

_PROC = Path("/proc")


def start_time(pid: int) -> str | None:
    """A mark that, with the pid, names one process for ever; None when no such process runs (a zombie does not run)."""
    if not (_PROC / "self/stat").exists():
        return _ps_start_time(pid)
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def group_members(group: int) -> list[int]:
    """The running processes of a process group."""
    if not (_PROC / "self/stat").exists():
        return _ps_group_members(group)
    members = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None and fields[0] not in "ZX" and int(fields[2]) == group:
                members.append(int(entry.name))
    return members


def started_with(text: str) -> list[str]:
    """`PID COMMAND` of every running process that was started with `text` somewhere in its environment."""
    if not (_PROC / "self/stat").exists():
        # -E adds the environment behind the command.
        rows = [line.strip() for line in _ps("-A", "-E", "-ww", "-o", "pid=,command=")]
        return [row[:200] for row in rows if text in row]
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and text.encode() in _read(entry / "environ"):
            command = _read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
            found.append(f"{entry.name} {command}")
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # gone, or another user's
        return b""


def _stat(pid: int) -> list[str] | None:
    """The fields of `/proc/<pid>/stat` from the 3rd (state) on; the 5th is the group, the 22nd the start (proc(5))."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses, which may itself hold spaces and parentheses.
    return text.rpartition(")")[2].split()


def _ps_start_time(pid: int) -> str | None:
    for line in _ps("-o", "stat=,lstart=", "-p", str(pid)):
        state, _, started = line.strip().partition(" ")
        return None if state.startswith("Z") else started.strip()
    return None


def _ps_group_members(group: int) -> list[int]:
    rows = [line.split() for line in _ps("-A", "-o", "pid=,pgid=,stat=")]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def _ps(*arguments: str) -> list[str]:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout.splitlines()
