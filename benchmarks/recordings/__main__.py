"""Prints, by service, how many recorded requests a local cloud answers like the real services:

    python -m benchmarks.recordings FILE.jsonl [--tier real] [--service storage] [--differences 40] [--state DIR]

`FILE.jsonl`: recordings in the form that `benchmarks/recordings/recorded_form.py` describes; none comes with the
project. A local cloud of its own is started, with its state in a temporary folder or in `--state`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.recordings.deliberate import load_rows, reasons, told
from benchmarks.recordings.recorded_form import read_sequences
from benchmarks.recordings.replaying import Outcome, Replay
from benchmarks.recordings.setting_up import LocalHubSetup
from localcloud import daemon

VERDICTS = ("exact", "meant", "different", "status", "unjudged", "unserved", "late", "blocked")
_COUNTED = ("exact", "meant", "different", "status")


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="recordings-") as folder:
        state = options.state or Path(folder)
        connection = daemon.up(state, project="recordings", region="us-central1")
        try:
            os.environ.update(connection.environment)
            outcomes = _outcomes(options, connection)
        finally:
            daemon.down(state)
    print(table(outcomes))
    print(most_frequent(outcomes, options.differences))
    return 0


def verdict_of(outcome: Outcome) -> str:
    """`meant` and `unjudged`: differences that the list of deliberate ones explains."""
    rows = reasons(outcome, load_rows()) if outcome.verdict in ("different", "status") else []
    if not rows:
        return outcome.verdict
    return "meant" if all(row.judged for row in rows) else "unjudged"


def table(outcomes: Iterable[Outcome]) -> str:
    """One line per service. The exact share refers to exchanges that are served and that a recording can judge."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        for name in (outcome.service, "all"):
            counts[name][verdict_of(outcome)] += 1
    width = max(map(len, counts), default=3)
    lines = [f"{'':{width}}  " + "".join(f"{verdict:>10}" for verdict in VERDICTS) + "   exact of judged"]
    for name in sorted(counts, key=lambda service: (service == "all", service)):
        row = counts[name]
        served = sum(row[verdict] for verdict in _COUNTED)
        share = f"{row['exact'] / served:>17.1%}" if served else f"{'':>17}"
        lines.append(f"{name:{width}}  " + "".join(f"{row[verdict]:>10}" for verdict in VERDICTS) + share)
    return "\n".join(lines)


def most_frequent(outcomes: Iterable[Outcome], limit: int) -> str:
    """The differences that the list does not explain, most frequent first, each with an example."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for outcome in outcomes:
        if verdict_of(outcome) not in ("different", "status"):
            continue
        for text in told(outcome):
            key = (outcome.service, text)
            counts[key] += 1
            examples.setdefault(key, f"{outcome.fixture} #{outcome.number}: {_values(outcome, text)}")
    lines = [
        f"{count:4} {service}: {text}\n     {examples[service, text]}"
        for (service, text), count in counts.most_common(limit)
    ]
    return "\n".join(lines)


def _values(outcome: Outcome, text: str) -> str:
    for difference in outcome.differences:
        if text == f"{difference.kind} {difference.path}":
            return f"recorded {json.dumps(difference.recorded)[:120]}, here {json.dumps(difference.answered)[:120]}"
    return f"here {outcome.answer.body[:200].decode('utf-8', 'replace')}"


def _outcomes(options: argparse.Namespace, connection: daemon.Connection) -> list[Outcome]:
    token = Path(os.environ["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"]).read_text().strip()
    replay = Replay(token, LocalHubSetup(connection.state_dir), connection.refresh_token(""))
    return [
        outcome
        for sequence in read_sequences(options.file)
        if sequence.tier in options.tier.split(",") and options.service in ("", sequence.service)
        for outcome in replay.run(sequence)
    ]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recordings", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="recordings, a sequence a line")
    parser.add_argument("--tier", default="real", help="of these alone, comma-separated (default: real)")
    parser.add_argument("--service", default="", help="of this service alone")
    parser.add_argument("--differences", type=int, default=20, help="how many kinds of differences to print")
    parser.add_argument("--state", type=Path, help="the local cloud's state directory (default: a temporary one)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
