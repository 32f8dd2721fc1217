"""Finds a server that is ready and that Vertex AI does not reach: its port or its health route is another one."""

import re
from collections.abc import Sequence
from dataclasses import replace

from vertex_vllm.diagnosis.ranking import Cause, Diagnosis
from vertex_vllm.diagnosis.rules import Change
from vertex_vllm.planning.arguments import PORT

ADDRESS_MARKS = ("server on http", "server 0 on http", "running on http")
"""Literals of the lines in which a server names its address."""

# vllm 0.8.5 entrypoints/openai/api_server.py:1090; vllm 0.32.0 entrypoints/launchers/launcher.py. Uvicorn says it, too.
_ADDRESS = re.compile(r"(?:server(?: 0)?|running) on https?://[^\s/]{1,100}:(?P<port>\d{1,5})")
_SEEN = ("vllm 0.8.5 entrypoints/openai/api_server.py, its first line once it is ready",)
# Messages of Vertex AI, and this project's own, for a deploy that took too long.
_NEVER_READY = ("never became ready", "Not deployed within", "Deployment timed out", "DEADLINE_EXCEEDED")


def ready_unasked(logged: Diagnosis, said: Sequence[str]) -> Diagnosis | None:
    """Why a container with a ready server did not count as healthy; None if log or error show another cause.

    `logged` is the diagnosis of the container's log, `said` the texts of the deploy's error.
    """
    if logged.outcome != "serving" or not any(words in text for text in said for words in _NEVER_READY):
        return None
    lines = [line for line in logged.marks if _ADDRESS.search(line.message)]
    ports = [match["port"] for line in lines if (match := _ADDRESS.search(line.message))]
    if ports and int(ports[-1]) != PORT:
        cause = Cause(
            rule="port_mismatch",
            cause=f"vLLM is ready on port {ports[-1]}, and Vertex AI asks on port {PORT}",
            explanation="The Model names the port that the container must listen on.",
            advice=f"Leave --port out: this project's plans let vLLM listen on {PORT}.",
            changes=(Change("remove_argument", ("--port",)),),
            evidence=tuple(lines[-1:]),
            seen=_SEEN,
        )
    else:
        cause = Cause(
            rule="health_route_unanswered",
            cause="vLLM is ready, and the container does not answer its health route",
            explanation="The server lacks the route that the Model names, or asks for a key on it.",
            advice="Let the Model name the health route of its image: /ping of Model Garden's, /health of upstream's.",
            changes=(Change("unset", ("serving.image",)), Change("remove_argument", ("--api-key",))),
            evidence=tuple(lines[-1:]),
            seen=_SEEN,
        )
    return replace(logged, outcome="failed", causes=(cause,))
