"""`vertex-vllm local fault`, and what docs/local-cloud.md says of faults."""

import json
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from localcloud import daemon
from localcloud.daemon import Connection
from localcloud.faults.checks import SERVICES
from localcloud.faults.kinds import BaseFault, Fault, known_errors
from tests.vertex_vllm.cli.documented_commands import ROOT, commands_in, vertex_vllm

SECTION = (ROOT / "docs" / "local-cloud.md").read_text().partition("\n## Faults\n")[2]


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """In `.local-cloud` of its folder, as the commands expect it."""
    state_dir = tmp_path_factory.mktemp("faults") / ".local-cloud"
    yield daemon.up(state_dir)
    daemon.down(state_dir)


def test_the_pages_commands_post_what_they_show(own_cloud: Connection) -> None:
    folder = own_cloud.state_dir.parent
    commands = [words[1:] for words in commands_in("local-cloud.md") if words[1:3] == ["local", "fault"]]
    *posting, listing, clearing = commands
    for number, command in enumerate(posting, start=1):
        answer = vertex_vllm(*command, cwd=folder)
        assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"Posted: fault {number}\n", "")
    header, *rows = vertex_vllm(*listing, cwd=folder).stdout.splitlines()
    assert header.split() == ["id", "kind", "met", "struck", "striking", "fields"]
    assert [row.split()[:4] for row in rows] == [
        ["1", "error", "0", "0"],
        ["2", "flip_byte", "0", "0"],
        ["3", "error", "0", "0"],
        ["4", "operation_error", "0", "0"],
        ["5", "reset", "0", "0"],
    ]
    posted = json.loads(vertex_vllm(*listing, "--json", cwd=folder).stdout)
    assert posted[1]["headers"] == {"range": "bytes=0-*"}
    assert posted[3] == {
        **{"id": 4, "rpc": "DeployModel", "kind": "operation_error", "known": "stockout", "after_seconds": 30.0},
        **{"met": 0, "struck": 0, "striking": 0},
    }
    assert vertex_vllm(*clearing, cwd=folder).returncode == 0
    assert own_cloud.faults() == []


def test_flags_without_a_value_are_fields_too(own_cloud: Connection) -> None:
    own_cloud.clear_faults()
    add = ("local", "fault", "add", "operation_never_ends", "--rpc", "DeployModel", "--always", "--ignores-cancel")
    assert vertex_vllm(*add, cwd=own_cloud.state_dir.parent).returncode == 0
    (posted,) = own_cloud.faults()
    assert (posted["times"], posted["ignores_cancel"]) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("explode",), "error: fault explode: No such fault: kind: 'explode' is none of 'error', 'latency'"),
        (("reset", "--status", "500"), "error: fault reset: No such fault: status: the kind reset has no such field."),
        (("error", "--status", "503", "--query", "partNumber"), "error: --query: 'partNumber' is not NAME=VALUE"),
    ],
)
def test_what_is_no_fault_is_one_line(own_cloud: Connection, arguments: tuple[str, ...], line: str) -> None:
    answer = vertex_vllm("local", "fault", "add", *arguments, cwd=own_cloud.state_dir.parent)
    assert answer.returncode == 2
    assert answer.stderr.startswith(line)
    assert len(answer.stderr.splitlines()) == 1


def test_the_page_has_every_kind_with_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\|", SECTION, re.MULTILINE)
    documented = {kind: set(re.findall(r"`(\w+)`", fields)) for kind, fields in rows}
    assert documented == {
        get_args(kind.model_fields["kind"].annotation)[0]: set(kind.model_fields)
        - set(BaseFault.model_fields)
        - {"kind"}
        for kind in get_args(Fault)
    }


@pytest.mark.parametrize("name", sorted({*BaseFault.model_fields, *SERVICES, *known_errors()}))
def test_the_page_has_every_field_service_and_known_error(name: str) -> None:
    assert f"`{name}`" in SECTION
