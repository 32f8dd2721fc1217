"""From the arguments that an image's vLLM takes to those that vLLM 0.32 takes on a CPU: pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_NO_GPU = "there is no GPU here"
_ONE_WORKER = "this machine serves with one worker"
_FRONT = "the container's front decides where it listens"
_NOT_UPSTREAM = "an option of Model Garden's build of vLLM"


@dataclass(frozen=True)
class Dropped:
    """An option that is not passed to vLLM."""

    reason: str
    gone_in: str = ""
    """The first vLLM version without the option: images from that version on refuse it, so it is passed on there."""
    quiet_value: str = ""
    """A value that makes no difference, so that the option is dropped without a line in the log."""


# All of these take a value. --swap-space is gone with vllm-project/vllm#36216. No source says whether Model Garden's
# builds of 2026 still have options of their own; they are taken to have ended with --swap-space.
_DROPPED: Mapping[str, Dropped] = {
    "--swap-space": Dropped("vLLM 0.18 did away with swapping", gone_in="0.18.0"),
    "--model-type": Dropped(_NOT_UPSTREAM, gone_in="0.18.0"),
    "--host-prefix-kv-cache-utilization-target": Dropped(_NOT_UPSTREAM, gone_in="0.18.0"),
    "--host-prefix-kv-cache-min-len": Dropped(_NOT_UPSTREAM, gone_in="0.18.0"),
    "--gpu-memory-utilization": Dropped(_NO_GPU),
    "--cpu-offload-gb": Dropped(_NO_GPU),
    "--tensor-parallel-size": Dropped(_ONE_WORKER, quiet_value="1"),
    "--pipeline-parallel-size": Dropped(_ONE_WORKER, quiet_value="1"),
    "--data-parallel-size": Dropped(_ONE_WORKER, quiet_value="1"),
    "--distributed-executor-backend": Dropped(_ONE_WORKER),
    "--host": Dropped(_FRONT, quiet_value="0.0.0.0"),
    "--port": Dropped(_FRONT, quiet_value="8080"),
    "--uds": Dropped(_FRONT),
}
# vllm-project/vllm#29402; logging no requests has been the default since 0.10.1.
_DROPPED_SWITCHES: Mapping[str, Dropped] = {
    "--disable-log-requests": Dropped("vLLM logs no requests by default", gone_in="0.12.0"),
}
_LONG_NAMES = {"-tp": "--tensor-parallel-size", "-pp": "--pipeline-parallel-size", "-dp": "--data-parallel-size"}
# Model Garden's parsers of tool calls → the one of upstream that reads the same format.
_TOOL_PARSERS = {"vertex-llama-3": "llama3_json"}


@dataclass(frozen=True)
class Translation:
    flags: tuple[str, ...]
    notes: tuple[str, ...]
    """Changes and their reasons, a line each, for the container's log."""


@dataclass(frozen=True)
class _Option:
    name: str
    """The option's long name with dashes; a word that is not an option unchanged."""
    value: str | None
    words: tuple[str, ...]
    """As it was given."""


def translate(flags: Sequence[str], vllm_version_of_image: str) -> Translation:
    """The flags of the image's vLLM as vLLM 0.32 on a CPU takes them.

    An option that neither knows stays: vLLM refuses it, and the container's log ends with that refusal.
    """
    kept: list[str] = []
    notes: list[str] = []
    for option in _options(flags):
        dropped = _dropped(option.name, vllm_version_of_image)
        if dropped is not None:
            if not dropped.quiet_value or option.value != dropped.quiet_value:
                notes.append(f"{' '.join(option.words)} is left out: {dropped.reason}")
        elif option.name == "--tool-call-parser" and option.value in _TOOL_PARSERS:
            parser = _TOOL_PARSERS[option.value]
            kept.append(f"--tool-call-parser={parser}")
            notes.append(f"--tool-call-parser={option.value} becomes {parser}: {_NOT_UPSTREAM}")
        else:
            kept.extend(option.words)
    return Translation(tuple(kept), tuple(notes))


def option_value(flags: Sequence[str], name: str) -> str | None:
    """The value of the option `name`, the last one if it is given more than once; None when it is not given."""
    return next((option.value for option in reversed(list(_options(flags))) if option.name == name), None)


def has_switch(flags: Sequence[str], name: str) -> bool:
    return any(option.name == name for option in _options(flags))


def replace_value(flags: Sequence[str], name: str, value: str) -> tuple[str, ...]:
    """`flags` with `value` as the value of the option `name` wherever that is given."""
    changed: list[str] = []
    for option in _options(flags):
        changed.extend([f"{name}={value}"] if option.name == name else option.words)
    return tuple(changed)


def _dropped(name: str, vllm_version_of_image: str) -> Dropped | None:
    dropped = _DROPPED.get(name) or _DROPPED_SWITCHES.get(name)
    if dropped and dropped.gone_in and _release(vllm_version_of_image) >= _release(dropped.gone_in):
        return None
    return dropped


def _options(flags: Sequence[str]) -> Iterator[_Option]:
    words = iter(flags)
    pending = next(words, None)
    while pending is not None:
        word, pending = pending, next(words, None)
        name, equals, value = word.partition("=")
        name = _long_name(name)
        if equals:
            yield _Option(name, value, (word,))
        elif name.startswith("-") and name not in _DROPPED_SWITCHES and pending is not None and not _is_option(pending):
            yield _Option(name, pending, (word, pending))
            pending = next(words, None)
        else:
            yield _Option(name, None, (word,))


def _is_option(word: str) -> bool:
    # A negative number is a value: --max-logprobs -1.
    return word.startswith("-") and not word[1:2].isdigit()


def _long_name(name: str) -> str:
    # vLLM takes --swap_space for --swap-space.
    return _LONG_NAMES.get(name, name.replace("_", "-") if name.startswith("--") else name)


def _release(version: str) -> tuple[int, ...]:
    """`0.8.5.post1` → (0, 8, 5)."""
    return tuple(int(part) for part in version.split(".")[:3])
