"""A chaos case as a value: the faults and acts that a run meets, drawn from a seed alone."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos.place import LARGE_MODEL, SMALL_MODEL
from tests.chaos.struck_calls import Call, calls

NOTHING, EVERYTHING = "nothing", "a fifth of everything"
_LONGEST_MOMENT_SECONDS = 6.0
HELD_SECONDS = 1.5
"""Seconds that a call is held while a process is killed: the suite looks every 50 ms."""


@dataclass(frozen=True)
class Case:
    seed: int
    family: str
    model: str
    faults: tuple[dict[str, Any], ...] = ()
    """Arguments of `Connection.add_fault`, per fault; empty for a case with an act alone."""
    act: str = ""
    """Act on processes after the fault has struck, or at `moment`: a name in `acts.ACTS`."""
    moment: float | None = None
    """Seconds after the submission."""
    words: tuple[str, ...] = ()
    """Texts, one of which is in the error that the case causes; empty: the case must cause no error."""
    keeps_server: bool = True
    """False: the local cloud itself ends."""
    keeps_endpoint: bool = False
    """The pipeline's parameter keep_endpoint: whether the run's endpoint is kept."""

    def faults_at(self, bucket: str) -> list[dict[str, Any]]:
        """The faults, for a run that uses that bucket."""
        return [
            {
                key: value.replace("{bucket}", bucket) if isinstance(value, str) else value
                for key, value in fault.items()
            }
            for fault in self.faults
        ]

    @property
    def holds_a_call(self) -> bool:
        """Whether a process is killed or cancelled while a call of its own waits to be executed."""
        return bool(self.act) and any(fault["kind"] == "latency" for fault in self.faults)

    def __str__(self) -> str:
        faults = [{key: value for key, value in fault.items() if key != "message"} for fault in self.faults]
        struck = faults[0] if len(faults) == 1 else f"{len(faults)} faults" if faults else ""
        at = "" if self.moment is None else f" after {self.moment:.1f} s"
        kept = ", kept" if self.keeps_endpoint else ""
        return f"seed {self.seed}, {self.family}{kept}: {struck} {self.act}{at}".replace("  ", " ").strip()


def case(seed: int) -> Case:
    """The case of a seed, independent of the cases drawn before."""
    draw = random.Random(seed)
    family = draw.choices(list(_FAMILIES), [weight for weight, _ in _FAMILIES.values()])[0]
    return case_of(family, seed)


def case_of(family: str, seed: int) -> Case:
    """A case of the family."""
    _, make = _FAMILIES[family]
    made = make(family, seed, random.Random(f"{family} {seed}"))
    return replace(made, keeps_endpoint=_keeps_endpoint(made))


def _keeps_endpoint(made: Case) -> bool:
    """The value that the struck call requires, else a random one."""
    struck = [call for call in calls() for fault in made.faults if call.where.items() <= fault.items()]
    needed = {call.kept for call in struck} - {None}
    return True in needed if len(needed) == 1 else random.Random(f"keeps {made.seed}").random() < 0.5


def families() -> tuple[str, ...]:
    """Names of the families that seeds draw from."""
    return tuple(name for name, (weight, _) in _FAMILIES.items() if weight)


Make = Callable[[str, int, random.Random], Case]

# --- errors


def _error(call: Call, status: int, code: str, seed: int) -> dict[str, Any]:
    what = {"code": code} if call.speaks == "grpc" else {"status": status}
    return {"kind": "error", **what, "message": _message(seed)}


def _message(seed: int) -> str:
    return f"injected by chaos case {seed}"


def _error_words(call: Call, status: int, code: str, seed: int) -> tuple[str, ...]:
    own: dict[str, tuple[str, ...]] = {
        "hub": (f"status {status}", f"{status} ", "the token is not allowed", "does not know this token"),
        "content-network": (f"status {status}", f"{status}"),
        "metadata": ("credentials", "metadata", "Compute Engine"),
    }
    if call.service in own:
        return own[call.service]
    return (_message(seed), code, f"status {status}", f"HTTP {status}", f" {status} ")


_PASSING = ((503, "UNAVAILABLE"), (500, "INTERNAL"), (429, "RESOURCE_EXHAUSTED"), (504, "DEADLINE_EXCEEDED"))
_FINAL = ((403, "PERMISSION_DENIED"), (400, "INVALID_ARGUMENT"))


def _passing(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice(calls())
    status, code = draw.choice(_PASSING)
    fault = {**_error(call, status, code, seed), **_at(call, draw), "times": draw.choice((1, 1, 2))}
    return Case(seed, family, _model(call), (fault,), words=_error_words(call, status, code, seed))


def _final(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice(calls())
    status, code = draw.choice(_FINAL)
    times = 1 if call.wilful else draw.choice((1, None))
    fault = {**_error(call, status, code, seed), **_at(call, draw), "times": times}
    return Case(seed, family, _model(call), (fault,), words=_error_words(call, status, code, seed))


def _stockout(family: str, seed: int, draw: random.Random) -> Case:
    call = _by_rpc("DeployModel")
    known = draw.choice(("stockout", "quota_exceeded"))
    kind: dict[str, Any] = {"kind": "error"}
    if draw.random() < 0.5:
        kind = {"kind": "operation_error", "after_seconds": draw.choice((0, 0.5))}
    words = {"stockout": "temporarily unavailable", "quota_exceeded": "quotas are exceeded"}[known]
    return Case(seed, family, SMALL_MODEL, ({**call.where, **kind, "known": known, "times": None},), words=(words,))


# --- connections and bodies

_BROKEN = ("ocket closed", "onnection", "broke", "UNAVAILABLE", "credentials", "does not answer", "RemoteProtocolError")
_DAMAGED = (*_BROKEN, "too early", "IncompleteRead", "JSON", "not what the Hub lists", "hecksum", "Protocol", "body")


def _broken(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice(calls())
    fault = {"kind": draw.choice(("reset", "lost_answer")), **_at(call, draw), "times": draw.choice((1, 1, 2))}
    return Case(seed, family, _model(call), (fault,), words=_BROKEN)


def _damaged(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice([call for call in calls() if call.body])
    kinds: list[dict[str, Any]] = [
        {"kind": "truncate", "after_bytes": draw.choice((0, 10, 300))},
        {"kind": "stall", "after_bytes": draw.choice((0, 10)), "seconds": 1.0},
    ]
    if call.service == "content-network":
        kinds += [{"kind": "flip_byte", "offset": draw.randrange(4000)}, {"kind": "wrong_content_range"}]
    return Case(seed, family, _model(call), ({**draw.choice(kinds), **_at(call, draw)},), words=_DAMAGED)


def _slow(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice(calls())
    return Case(seed, family, _model(call), ({"kind": "latency", "latency_seconds": 1.0, **_at(call, draw)},))


# --- operations


def _failing_operation(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice([call for call in calls() if call.operation])
    code = draw.choice(("INTERNAL", "FAILED_PRECONDITION", "UNAVAILABLE", "PERMISSION_DENIED", "ABORTED"))
    fault = {"kind": "operation_error", "code": code, "message": _message(seed), "after_seconds": draw.choice((0, 0.5))}
    return Case(seed, family, SMALL_MODEL, ({**call.where, **fault},), words=(_message(seed),))


def _endless_operation(family: str, seed: int, draw: random.Random) -> Case:
    call = _by_rpc(draw.choice(("DeployModel", "UploadModel", "CreateEndpoint")))
    fault = {**call.where, "kind": "operation_never_ends"}
    return Case(seed, family, SMALL_MODEL, (fault,), act="cancel", words=("cancelled",))


# --- processes


def _held(draw: random.Random) -> tuple[tuple[dict[str, Any], ...], float | None, str]:
    """The call that is held, or a moment, and the model."""
    if draw.random() < 0.3:
        return (), draw.uniform(0, _LONGEST_MOMENT_SECONDS), SMALL_MODEL
    call = draw.choice(calls())
    return ({"kind": "latency", "latency_seconds": HELD_SECONDS, **_at(call, draw)},), None, _model(call)


def _acting(act: str, words: tuple[str, ...]) -> Make:
    def make(family: str, seed: int, draw: random.Random) -> Case:
        faults, moment, model = _held(draw)
        return Case(seed, family, model, faults, act=act, moment=moment, words=words)

    return make


def _crash(family: str, seed: int, draw: random.Random) -> Case:
    call = draw.choice(calls())
    fault = {"kind": "crash", "when": draw.choice(("before", "after")), **_at(call, draw)}
    return Case(seed, family, _model(call), (fault,), words=("local cloud was stopped",), keeps_server=False)


# --- families that no seed draws


def _nothing(family: str, seed: int, draw: random.Random) -> Case:
    """Faults that match every call of calls.yaml and strike none: they only count."""
    counters = tuple({**call.where, "kind": "latency", "latency_seconds": 0.001, "nth": 10**6} for call in calls())
    return Case(seed, family, LARGE_MODEL, counters)


def _everything(family: str, seed: int, draw: random.Random) -> Case:
    """A fifth of all calls to every API fails, in each way that a retry overcomes."""
    kinds: list[dict[str, Any]] = [{"kind": "error", "status": status} for status in (503, 500, 429)]
    kinds += [{"kind": "reset"}, {"kind": "error", "code": "UNAVAILABLE"}]
    faults: list[dict[str, Any]] = [
        {**where, **kind, "probability": share, "seed": draw.randrange(2**31)}
        for where, share in _EVERYWHERE
        for kind in kinds
        if ("code" in kind) == ("rpc" in where) or kind["kind"] == "reset"
    ]
    # By REST, where the rows of the services with methods meet only what is answered like 503.
    for path in ("*:predict", "*/chat/completions"):
        for status in (500, 429):
            fault = {"kind": "error", "status": status, "probability": 0.05, "seed": draw.randrange(2**31)}
            faults.append({"service": "vertex", "method": "POST", "path": path, **fault})
    return Case(seed, family, draw.choice((SMALL_MODEL, LARGE_MODEL)), tuple(faults))


# With this probability for each of n faults that match the same call, a fifth of the calls fails: 1 - 0.8^(1/n).
_OF_TWO, _OF_FOUR = 1 - 0.8 ** (1 / 2), 1 - 0.8 ** (1 / 4)
_EVERYWHERE: tuple[tuple[dict[str, str], float], ...] = (
    *(({"service": name, "rpc": "*"}, _OF_TWO) for name in ("vertex", "secret-manager", "cloud-quotas")),
    *(({"service": name}, _OF_FOUR) for name in ("hub", "content-network")),
    # Not "/", by which clients look whether they are on Google's machines: there a file tells them that, too, which no
    # local cloud can write.
    ({"service": "metadata", "path": "/computeMetadata/*"}, _OF_FOUR),
    # Not the bucket of the runs' artifacts: what is written there is not this project's doing on Google Cloud either.
    ({"service": "storage", "path": "/storage/v1/b"}, _OF_FOUR),
    ({"service": "storage", "path": "*/{bucket}"}, _OF_FOUR),
    ({"service": "storage", "path": "*/{bucket}/*"}, _OF_FOUR),
)

# --- drawing


def _at(call: Call, draw: random.Random) -> dict[str, Any]:
    return {**call.where, "nth": draw.randint(1, call.calls)}


def _model(call: Call) -> str:
    return LARGE_MODEL if call.large else SMALL_MODEL


def _by_rpc(rpc: str) -> Call:
    return next(call for call in calls() if call.where.get("rpc") == rpc)


_FAMILIES: dict[str, tuple[int, Make]] = {
    "error that passes": (16, _passing),
    "error that stays": (16, _final),
    "out of stock or quota": (4, _stockout),
    "connection broken": (14, _broken),
    "body damaged": (8, _damaged),
    "slow call": (3, _slow),
    "operation fails": (7, _failing_operation),
    "operation never ends": (3, _endless_operation),
    "step killed": (10, _acting("kill step", ("exit status -9", "exit status 137"))),
    "step stopped": (5, _acting("stop step", ("exit status -15", "exit status 143", "SIGTERM"))),
    "runner killed": (6, _acting("kill runner", ("ended with status -9",))),
    "run cancelled": (6, _acting("cancel", ("cancelled",))),
    "local cloud crashes": (2, _crash),
    NOTHING: (0, _nothing),
    EVERYTHING: (0, _everything),
}
"""Family → its weight out of 100, and the function that draws a case."""
