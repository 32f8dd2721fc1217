"""A process that carries out cases one after the other on a local cloud of its own: `python -m tests.chaos.lane STATE`.

Numbers of cases come by standard input, a line each, and the outcomes go out as lines of JSON. At the end of
the input it looks through everything that was written for the token, and at what is left anywhere.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.canary import Commands, files_holding
from tests.chaos.place import Place, open_place


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # Output of the SDK is not an outcome.
    place = open_place(Path(sys.argv[1]))
    from tests.chaos.cases import case, case_of
    from tests.chaos.experiment import broken, carry_out

    commands = Commands()
    try:
        _say(out, {"ready": True})
        for number, line in enumerate(sys.stdin):
            family, seed = json.loads(line)
            chosen = case_of(family, seed) if family else case(seed)
            try:
                outcome = carry_out(chosen, place, f"chaos-{number}", commands)
            except Exception as error:
                outcome = broken(chosen, error)
            _say(out, {"outcome": asdict(outcome), "family": family})
        _say(out, {"end": list(_end(place, commands))})
    finally:
        place.close()


def _end(place: Place, commands: Commands) -> Iterator[str]:
    """Faults of all runs of the lane together."""
    from localcloud import daemon

    for name in files_holding(place.token, place.state_dir):
        if not name.startswith("secrets.db"):
            yield f"the token is in {name}"
    for name in files_holding(place.token, Path(tempfile.gettempdir())):
        yield f"the token is in a temporary file, {name}"
    for line in commands.holding(place.token):
        yield f"a process was started with the token: {line[:300]}"
    if not commands.holding("model_server.py"):
        yield "no model server's command line was seen: the search above has looked at nothing"
    daemon.down(place.state_dir)


def _say(out: Any, fields: dict[str, Any]) -> None:
    out.write(json.dumps(fields) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
