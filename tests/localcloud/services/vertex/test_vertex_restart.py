from pathlib import Path

import pytest
import yaml
from echo_deployments import ECHO_ROW, containers_of
from restart_scripts import ASK, DEPLOY, run

from localcloud import daemon


@pytest.mark.slow
def test_deployed_models_come_back(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(yaml.safe_dump({"images": [ECHO_ROW]}))
    try:
        name = run(DEPLOY, daemon.up(tmp_path))
        (before,) = containers_of(name)
        daemon.down(tmp_path)
        assert containers_of(name) == []
        assert run(ASK, daemon.up(tmp_path)) == "echo 0"
        (after,) = containers_of(name)
        assert after != before
    finally:
        daemon.down(tmp_path)
    assert containers_of(name) == []
