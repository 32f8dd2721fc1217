"""One line of a container's log: process, time, level, and the message without its frame.

vLLM writes from several processes into one stream, and each version frames its lines otherwise; a log may have passed
through Docker, Kubernetes or Cloud Logging on its way. `read_line` removes all of it. No line is longer than
`LONGEST_LINE` characters here.
"""

import re
from dataclasses import dataclass

from vertex_vllm.plain_text import plain

LONGEST_LINE = 4096

# Before vLLM's own frame. Each is tried once, in this order.
_OUTER = (
    # A quotation in a report, `srun --label`, `mpirun --tag-output`.
    re.compile(r"(?:> ?){1,3}|\d{1,4}: |\[\d{1,4},\d{1,4}\]<std(?:out|err)>: ?"),
    # `docker compose logs`, `kubectl logs --prefix`.
    re.compile(r"(?:[\w.-]{1,60} {1,20}\| |\[pod/[\w./-]{1,200}\] )"),
    # `gcloud logging read`, whose default format is YAML; JSON with a field, or an entry, a line.
    re.compile(
        r"(?:\s{0,12}\"?(?:textPayload|message|log)\"?: {1,4}|\{.{0,1500}?\"(?:textPayload|message|log)\": ?)"
        r"(?P<quote>[\"']?)"
    ),
    # `journalctl` and syslog: time, host, program.
    re.compile(r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) [\w.-]{1,80} [\w./@:-]{1,80}?(?:\[\d{1,10}\])?: "),
    # The time of an entry, of `kubectl logs --timestamps`, of containerd's files, of Python's logging.
    re.compile(
        r"(?:(?:DEFAULT|DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL) )?"  # Copied from the Logs Explorer.
        r"\[?(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)\]?"
        r"(?:\s{1,8}(?=std|[A-Z]{4,}|[-|\[])|\s)"  # A message may begin with blanks of its own.
        r"(?:\[resource\.labels\.\w{1,40}: [\w.-]{1,120}\] )?"
        r"(?:(?:stdout|stderr) [FP] )?(?:(?:DEFAULT|INFO|ERROR|WARNING|NOTICE) {1,4}(?!\d\d-\d\d ))?"
        r"(?:- [\w.]{1,80} - (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) - )?"
        r"(?:\| (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) {1,8}\| [\w.:<>]{1,160} - )?"
    ),
)
# Process, rank and level, in any number and order.
_PROCESS = re.compile(r"\((?P<process>[A-Za-z][\w .=:-]{0,60}?),? pid=(?P<pid>\d{1,10})(?:, ip=[\da-f.:]{1,40})?\) ?")
_RANK = re.compile(r"\[(?P<rank>rank\d{1,4})\]:\s?(?:[EWIF]\d{4} )?")
_LEVEL = re.compile(
    r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)(?:\s|:\s)\s{0,6}"
    r"(?:(?P<time>\d\d-\d\d \d\d:\d\d:\d\d)(?:[.,]\d{1,6})? )?(?:\[?[\w./-]{1,80}:\d{1,6}\] ?)?"
)
# glog's and PyTorch's: I, W, E or F, month and day.
_TORCH = re.compile(
    r"\[?(?P<level>[IWEF])\d{4} (?P<time>\d\d:\d\d:\d\d)\.\d{1,9} +(?:\d{1,10} )?[\w./+-]{1,120}:\d{1,6}\] ?"
)
_TORCH_LEVELS = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}
_QUOTE = re.compile(r'(?<!\\)"(?=\s{0,4}(?:[,}\]]|$))')
# A report that was pasted has colours without their escape character.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]{0,16}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)?|.)?"
    r"|(?:\^\[|\ufffd)?\[(?:0|\d{1,2};\d{1,2}(?:;\d{1,3}){0,3})m"
)


@dataclass(frozen=True)
class LogLine:
    """A line without its frame."""

    number: int
    """From 1, in the file or among the entries that were read."""
    message: str
    time: str = ""
    """As written; empty: the line has none."""
    process: str = ""
    """For example `EngineCore 4318`; empty: the line names no process."""
    level: str = ""
    """DEBUG to CRITICAL; empty: a line that no logger wrote, such as a traceback's."""


def read_line(raw: bytes, number: int) -> LogLine:
    """Never raises: bytes that are not UTF-8 are replaced, escape sequences and control characters removed."""
    return parse_line(raw[:LONGEST_LINE].decode("utf-8", "replace"), number)


def parse_line(text: str, number: int) -> LogLine:
    """As `read_line`, for text."""
    text = plain(_ESCAPES.sub("", text[:LONGEST_LINE].replace("\t", " "))).rstrip()
    position, found = _outer(text)
    time, process, level = found.get("time", ""), "", ""
    for _ in range(5):
        if match := _PROCESS.match(text, position):
            process = f"{match['process']} {match['pid']}"
        elif match := _LEVEL.match(text, position):
            level, time = match["level"], time or match["time"] or ""
        elif match := _TORCH.match(text, position):
            level, time = _TORCH_LEVELS[match["level"]], time or match["time"]
        elif match := _RANK.match(text, position):
            process = process or match["rank"]
        else:
            break
        position = match.end()
    message = text[position:]
    if quote := found.get("quote"):
        message = _unquoted(message, quote)
    return LogLine(number, message, time, process, level)


def _unquoted(message: str, quote: str) -> str:
    """The text inside an export's quotes; of JSON the rest of the entry is left out."""
    if quote == "'":
        return message.removesuffix(quote)
    end = _QUOTE.search(message)
    return (message[: end.start()] if end else message).replace('\\"', '"')


def _outer(text: str) -> tuple[int, dict[str, str]]:
    position, found = 0, dict[str, str]()
    for pattern in _OUTER:
        if match := pattern.match(text, position):
            found |= {name: value for name, value in match.groupdict().items() if value}
            position = match.end()
    return position, found
