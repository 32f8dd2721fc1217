"""Which configs a change concerns: by whole values, and from a real git history."""

import subprocess
from pathlib import Path

import pytest

from vertex_vllm.ci.changes import Change, Concerned, Decision, decide
from vertex_vllm.ci.history import Commit
from vertex_vllm.errors import InputError, VertexVllmError

A, B, C = (f"configs/{name}.yaml" for name in "abc")
ALL = (A, B, C, "configs/deployment.schema.json", "configs/examples/x.yaml", "configs/README.md")


def nothing_but(**changes: tuple[object, ...]) -> Decision:
    return Decision(**{"concerned": (), "removed": (), "dependencies": (), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ((), nothing_but()),
        ((Change(B, "edited"),), nothing_but(concerned=(Concerned(B, "edited"),))),
        (
            (Change(C, "added"), Change(A, "edited")),
            nothing_but(concerned=(Concerned(A, "edited"), Concerned(C, "added"))),
        ),
        ((Change("configs/gone.yaml", "removed"),), nothing_but(removed=("configs/gone.yaml",))),
        *(
            (
                (Change(path, "edited"), Change(B, "edited")),
                nothing_but(
                    concerned=(Concerned(A, "dependency"), Concerned(B, "edited"), Concerned(C, "dependency")),
                    dependencies=(path,),
                ),
            )
            for path in ("compiled/deploy.yaml", "vertex_vllm/catalog/machines.yaml", "components/deploy_model.py")
        ),
        ((Change("components/gone.py", "removed"),), None),
        *(
            ((Change(path, "edited"),), nothing_but())
            for path in ("README.md", "configs/deployment.schema.json", "configs/examples/x.yaml", "localcloud/app.py")
        ),
        ((Change("docs/vertex_vllm/x.py", "edited"), Change("compiled/notes.md", "added")), nothing_but()),
    ],
)
def test_which_configs_a_change_concerns(changes: tuple[Change, ...], decision: Decision | None) -> None:
    every = nothing_but(
        concerned=tuple(Concerned(config, "dependency") for config in (A, B, C)), dependencies=("components/gone.py",)
    )
    assert decide(changes, ALL) == (decision or every)


class Clone:
    """A git repository that a test commits to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
        argv = ["git", "-C", str(self.root), *identity, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_two_commits_are_compared_whatever_lies_between_them(clone: Clone) -> None:
    first = clone.commit({A: "1", B: "1", "configs/über uns.yaml": "1"})
    clone.commit({A: "2", C: "1"})
    clone.commit({A: "1", B: None, "configs/über uns.yaml": "2"})
    clone.git("mv", C, "configs/d.yaml")
    clone.commit({})
    base, head = Commit.of(clone.root / "configs", first), Commit.of(clone.root, "HEAD")
    assert sorted(head.changes_since(base), key=lambda change: change.path) == [
        Change(B, "removed"),
        Change("configs/d.yaml", "added"),
        Change("configs/über uns.yaml", "edited"),
    ]
    assert head.files("configs") == (A, "configs/d.yaml", "configs/über uns.yaml")
    assert (head.text(B), base.text(B), head.text("configs/über uns.yaml")) == (None, "1", "2")


def test_what_is_not_committed_does_not_count(clone: Clone) -> None:
    first = clone.commit({A: "1"})
    (clone.root / A).write_text("2")
    assert Commit.of(clone.root, "HEAD").changes_since(Commit.of(clone.root, first)) == ()
    assert Commit.of(clone.root, "HEAD").text(A) == "1"


@pytest.mark.parametrize("revision", ["no-such-branch", "--help", "0" * 40])
def test_a_revision_that_is_not_there_is_named(clone: Clone, revision: str) -> None:
    clone.commit({A: "1"})
    with pytest.raises(InputError, match=revision):
        Commit.of(clone.root, revision)


def test_a_folder_without_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a git repository"):
        Commit.of(tmp_path, "HEAD")


def test_a_history_that_cannot_be_read_is_no_history_without_changes(clone: Clone) -> None:
    first = clone.commit({A: "1"})
    second = clone.commit({A: "2"})
    tree = clone.git("rev-parse", f"{first}^{{tree}}")
    (clone.root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(VertexVllmError, match="git diff failed"):
        Commit.of(clone.root, second).changes_since(Commit.of(clone.root, first))
