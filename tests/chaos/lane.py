"""A process that carries out cases one after the other on a local cloud of its own: `python -m tests.chaos.lane STATE`.

Numbers of cases come by standard input, a line each, and what became of them goes out as lines of JSON. At the end of
the input it looks through everything that was written for the token, and at what is left anywhere.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.place import Place, open_place


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # What the SDK prints is no answer.
    place = open_place(Path(sys.argv[1]))
    from tests.chaos.cases import case, case_of
    from tests.chaos.experiment import broken, carry_out

    try:
        _say(out, {"ready": True})
        for number, line in enumerate(sys.stdin):
            family, seed = json.loads(line)
            chosen = case_of(family, seed) if family else case(seed)
            try:
                outcome = carry_out(chosen, place, f"chaos-{number}")
            except Exception as error:
                outcome = broken(chosen, error)
            _say(out, {"outcome": asdict(outcome), "family": family})
        _say(out, {"end": list(_end(place))})
    finally:
        place.close()


def _end(place: Place) -> Iterator[str]:
    """What is wrong with all of them together."""
    from localcloud import daemon
    from tests.token_scan import files_with

    token = place.token.encode()
    for name in files_with(token, place.state_dir):
        if not name.startswith("secrets"):
            yield f"the token is in {name}"
    for name in files_with(token, Path(tempfile.gettempdir())):
        if not name.startswith(place.state_dir.name):
            yield f"the token is in a temporary file, {name}"
    daemon.down(place.state_dir)


def _say(out: Any, fields: dict[str, Any]) -> None:
    out.write(json.dumps(fields) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
