"""Where a diagnosis gets its lines from: a stream, lines in memory, errors of a service."""

import io
from collections.abc import Iterable
from typing import IO

from vertex_vllm.diagnosis.exports import HEAD_BYTES, MOST_BYTES, in_order, may_be_out_of_order
from vertex_vllm.diagnosis.never_ready import ADDRESS_MARKS
from vertex_vllm.diagnosis.phases import phase_marks
from vertex_vllm.diagnosis.ranking import Diagnosis, diagnose
from vertex_vllm.diagnosis.refused_requests import LOAD_MARKS
from vertex_vllm.diagnosis.rules import load_rules
from vertex_vllm.diagnosis.scan import Scanner, scan_file


def diagnose_stream(stream: IO[bytes]) -> Diagnosis:
    """Of a log of any size, read once: of an export of Cloud Logging, the replica whose log says most."""
    head = stream.read(HEAD_BYTES)
    if not may_be_out_of_order(head):
        return _diagnosed(stream, head)
    whole = head + stream.read(MOST_BYTES - len(head))
    if rest := stream.read(1):
        return _diagnosed(stream, whole + rest)
    return most_telling(in_order(whole))


def diagnose_lines(lines: Iterable[str]) -> Diagnosis:
    """Of lines, or of what a service said: an operation's error, a run's."""
    return _diagnosed(io.BytesIO(), "\n".join(lines).encode("utf-8", "replace") + b"\n")


def most_telling(replicas: Iterable[Iterable[str]]) -> Diagnosis:
    """The diagnosis of the replica whose log says most: one with a cause, then one that failed, or was restarted."""
    return max(map(diagnose_lines, replicas), key=_says)


def _says(found: Diagnosis) -> tuple[bool, bool, int, int]:
    return bool(found.causes), found.outcome == "failed", found.starts, len(found.lines)


def _diagnosed(stream: IO[bytes], head: bytes) -> Diagnosis:
    scanner = Scanner(load_rules(), (*phase_marks(), *ADDRESS_MARKS, *LOAD_MARKS))
    scanner.feed(head)
    return diagnose(scan_file(stream, scanner))
