"""Consent to a repo's own Python code must name a commit: a branch may change to code that was not read."""

import re
from collections.abc import Iterator

from vertex_vllm.config.catalogue_check import Fault
from vertex_vllm.config.deployment import Deployment

_COMMIT = re.compile(r"[0-9a-f]{40}")
# vLLM takes a flag with underscores too, and with a value.
_CONSENT = re.compile(r"--trust[-_]remote[-_]code(=.*)?")


def check_consent(deployment: Deployment) -> Iterator[Fault]:
    """A fault if code is to be run from a revision that can move to another commit."""
    serving = deployment.serving
    consents = serving.trust_remote_code or any(_CONSENT.fullmatch(argument) for argument in serving.extra_args)
    if consents and not _COMMIT.fullmatch(deployment.model.revision):
        yield Fault(
            ("model", "revision"),
            "must be a commit, 40 hexadecimal digits, where serving.trust_remote_code runs the repo's own code: "
            "a branch or tag may move to code that nobody has read",
        )
