"""Code from a repository runs only where the config consents to it at a commit."""

from pathlib import Path

import pytest

from vertex_vllm.config import load_deployment
from vertex_vllm.errors import ConfigError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = "name: x\nmodel: {{id: a/b, revision: {revision}}}\nserving: {{{consent}}}\n"


@pytest.mark.parametrize(
    "consent",
    ["trust_remote_code: true", "extra_args: [--trust-remote-code]", "extra_args: [--trust_remote_code=true]"],
)
@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12]])
def test_code_from_a_repo_is_consented_to_for_a_commit_alone(tmp_path: Path, consent: str, revision: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(CODE.format(revision=revision, consent=consent))
    with pytest.raises(ConfigError, match=rf"{path}:2: model.revision: must be a commit"):
        load_deployment(path)
    path.write_text(CODE.format(revision=COMMIT, consent=consent))
    assert load_deployment(path).model.revision == COMMIT
