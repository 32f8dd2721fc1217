"""Diagnoses of a stream, of lines in memory, and of a service's errors."""

import io
from collections.abc import Iterable
from typing import IO

from vertex_vllm.diagnosis.never_ready import ADDRESS_MARKS
from vertex_vllm.diagnosis.phases import phase_marks
from vertex_vllm.diagnosis.ranking import Diagnosis, diagnose
from vertex_vllm.diagnosis.rules import load_rules
from vertex_vllm.diagnosis.scan import Scanner, scan_file


def diagnose_stream(stream: IO[bytes]) -> Diagnosis:
    """The diagnosis of a log of any size, read once."""
    return diagnose(scan_file(stream, Scanner(load_rules(), (*phase_marks(), *ADDRESS_MARKS))))


def diagnose_lines(lines: Iterable[str]) -> Diagnosis:
    """The diagnosis of lines, or of the text of an error: an operation's, a run's."""
    text = "\n".join(lines)
    return diagnose_stream(io.BytesIO(text.encode("utf-8", "replace") + b"\n"))
