"""Right answers of a shipped suite, for the small model server."""

import json

from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite


def answers_of(suite: str) -> str:
    """JSON lines for `--questions`: right answers of the model server to most kinds of questions."""
    rows = ({"question": item.prompt, "accepted": [item.check.expected]} for item in shipped_suite(suite).items)
    return "".join(json.dumps(row) + "\n" for row in rows)
