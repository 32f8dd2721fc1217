"""docs/security.md has the grants of bootstrap; the table of grants has the needed permissions and no others."""

import re
from pathlib import Path

from localcloud.core.permissions.permission_table import known_permissions
from vertex_vllm.bootstrap.grants import custom_roles, grant_rows, refusals
from vertex_vllm.bootstrap.grants_page import page_with_grants

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_is_what_make_grants_page_writes() -> None:
    page = (DOCS / "security.md").read_text()
    assert page_with_grants(page) == page


def test_the_grants_stand_on_one_page_alone() -> None:
    others = [page for page in DOCS.glob("*.md") if page.name != "security.md"]
    assert not [page.name for page in others if "| `storage.objectUser` |" in page.read_text()]


def test_every_grant_was_tried_without() -> None:
    assert list(refusals()) == [row.which for row in grant_rows()]
    assert not [which for which, permission in refusals().items() if permission not in known_permissions()]


def test_every_custom_role_is_granted_and_every_grant_of_one_names_it() -> None:
    granted = {row.role for row in grant_rows() if not row.role.startswith("roles/")}
    assert granted == {role.id for role in custom_roles()}


def test_no_account_may_do_what_a_broader_role_would_let_it() -> None:
    """The roles that are left out would give custom jobs, other buckets' policies and the tag `live`."""
    roles = {row.role for row in grant_rows() if row.account != "agent"}
    assert roles.isdisjoint({"roles/aiplatform.user", "roles/storage.admin", "roles/owner", "roles/editor"})
    permissions = {name for role in custom_roles() for name in role.names}
    assert not [name for name in permissions if name.startswith("aiplatform.customJobs.")]
    assert not {"storage.buckets.setIamPolicy", "storage.buckets.update", "storage.buckets.delete"} & permissions


def test_every_attack_names_tests_that_exist() -> None:
    page = (DOCS / "security.md").read_text()
    table = page.partition("| attack |")[2].partition("\n\n")[0].splitlines()[2:]
    files = {path.stem: path.read_text() for path in (DOCS.parent / "tests").rglob("test_*.py")}
    assert len(table) >= 15
    for row in table:
        attack, tests = row.strip("|").split(" | ")
        named = re.findall(r"`(test_\w+)::(test_\w+)`", tests)
        assert named, attack
        assert not [test for file, test in named if f"def {test}(" not in files[file]], attack


def test_every_threat_names_tests_that_exist() -> None:
    page = (DOCS / "security.md").read_text()
    table = page.partition("| threat |")[2].partition("\n\n")[0].splitlines()[2:]
    files = {path.stem for path in (DOCS.parent / "tests").rglob("test_*.py")}
    assert len(table) > 15
    for row in table:
        threat, *_, tests = row.strip("|").split(" | ")
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, threat
        assert set(named) <= files, threat
