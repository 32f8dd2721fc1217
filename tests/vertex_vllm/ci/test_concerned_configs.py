"""Which configs a change concerns: by whole values, and from a real git history."""

import subprocess
from pathlib import Path

import pytest

from vertex_vllm.ci.concerned_configs import Change, Concerned, Decision, Removed, decide
from vertex_vllm.ci.history import Commit
from vertex_vllm.ci.unread import unread
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
        ((Change("configs/gone.yaml", "removed"),), nothing_but(removed=(Removed("", "configs/gone.yaml"),))),
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
            for path in (
                "README.md",
                "configs/deployment.schema.json",
                "configs/examples/x.yaml",
                "localcloud/localcloud/front/chain.py",
            )
        ),
        ((Change("docs/vertex_vllm/x.py", "edited"), Change("compiled/notes.md", "added")), nothing_but()),
    ],
)
def test_which_configs_a_change_concerns(changes: tuple[Change, ...], decision: Decision | None) -> None:
    every = nothing_but(
        concerned=tuple(Concerned(config, "dependency") for config in (A, B, C)), dependencies=("components/gone.py",)
    )
    assert decide(changes, ALL) == (decision or every)


@pytest.mark.parametrize(
    ("changes", "before", "after", "concerned", "removed"),
    [
        ((Change(A, "removed"), Change(B, "added")), {A: "one"}, {B: "one"}, [Concerned(B, "renamed", A)], []),
        ((Change(A, "removed"), Change(B, "edited")), {A: "one", B: "two"}, {B: "one"}, [Concerned(B, "edited", A)],
         [Removed("two", B)]),
        ((Change(A, "edited"),), {A: "one"}, {A: "other"}, [Concerned(A, "edited")], [Removed("one", A)]),
        ((Change(A, "edited"), Change(B, "edited")), {A: "one", B: "two"}, {A: "two", B: "one"},
         [Concerned(A, "edited", B), Concerned(B, "edited", A)], []),
        ((Change(A, "removed"), Change(B, "added")), {A: "one"}, {B: "two"}, [Concerned(B, "added")],
         [Removed("one", A)]),
        ((Change(A, "removed"),), {A: "one", B: "one"}, {B: "one"}, [], []),
    ],
    ids=["renamed", "takes another's name", "other name", "swapped", "replaced", "was there twice"],
)  # fmt: skip
def test_a_deployment_is_known_by_its_name(
    changes: tuple[Change, ...],
    before: dict[str, str],
    after: dict[str, str],
    concerned: list[Concerned],
    removed: list[Removed],
) -> None:
    decision = decide(changes, after, before, after)
    assert (list(decision.concerned), list(decision.removed)) == (concerned, removed)


CONFIG = "name: one\nmodel:\n  id: org/model\n"


@pytest.mark.parametrize(
    ("path", "kind", "text", "why", "is_fault"),
    [
        ("configs/a.yml", "file", "name: [", "configs end in .yaml. Rename it", True),
        ("configs/team/a.YAML", "file", CONFIG, "configs end in .yaml. Rename it", True),
        ("configs/a.json", "file", '{"name": "a", "model": {"id": "o/m"}}', "Write it as YAML", True),
        ("configs/a.yaml.bak", "file", CONFIG, "Write it as YAML", True),
        ("configs/a.yaml", "link", "../x.yaml", "symbolic link", True),
        ("configs/team", "link", "../team", "symbolic link", True),
        ("configs", "link", "deployments", "symbolic link", True),
        ("configs/team", "submodule", None, "submodule", True),
        ("configs/notes.txt", "file", "something", "is not read", False),
        ("services/chat/configs/a.yaml", "file", CONFIG, "Move it below configs/", True),
        ("a.yml", "file", CONFIG, "Move it below configs/", True),
        ("services/configs/a.yaml", "link", "b", "symbolic link", True),
        ("deployments/all.yaml", "file", f"{CONFIG}---\n{CONFIG}", "Move it below configs/", True),
        ("deployments/a.yaml", "file", f"{CONFIG}serving: [\n", "Move it below configs/", True),
        ("deployments/a.yaml", "file", f"x: &x 1\n{CONFIG}y: *x\n", "Move it below configs/", True),
        ("deployments/a.yml", "file", "name: a\nmodel: {id: o/m}\n\tx: 1\n", "Move it below configs/", True),
        ("configs/all.txt", "file", f"{CONFIG}---\n{CONFIG}", "Write it as YAML", True),
    ],
)
def test_a_file_that_may_be_a_config_is_told(path: str, kind: str, text: str | None, why: str, is_fault: bool) -> None:
    (found,) = unread([path], {path: kind}, lambda _: text)  # type: ignore[dict-item]
    assert (found.path, found.is_fault) == (path, is_fault)
    assert why in found.why


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("configs/a.yaml", CONFIG),
        ("configs/examples/a.yml", CONFIG),
        ("configs/README.md", "name: x"),
        ("configs/deployment.schema.json", "{}"),
        ("tests/data/a.yaml", CONFIG),
        ("services/x.yaml", "name: x\nmodel: y\n"),
        ("services/x.yaml", "- a"),
        ("services/x.yaml", "name: x\nmodel: y\n---\nid: z\n"),
        ("services/x.yaml", "kind: a\nspec:\n  name: x\n  model:\n    id: y\n---\nkind: b\n"),
        ("services/x.yaml", "{{ if .Values.x }}\nname: x\n{{ end }}\n"),
        ("services/x.py", CONFIG),
        ("services/retired.yaml", CONFIG.replace("one", "retired")),
    ],
)
def test_other_files_are_nobody_s_config(path: str, text: str) -> None:
    assert unread([path], {path: "file"}, lambda _: text, retired=["retired"]) == ()


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


@pytest.mark.parametrize("revision", ["no-such-branch", "--help"])
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


@pytest.mark.parametrize("zeros", ["0" * 40, "0" * 64])
def test_the_first_push_has_its_own_words(clone: Clone, zeros: str) -> None:
    with pytest.raises(InputError, match="first push of a branch"):
        Commit.of(clone.root, zeros)


def test_links_and_submodules_are_told_from_files(clone: Clone) -> None:
    clone.commit({A: "1", "elsewhere.yaml": "2"})
    (clone.root / B).symlink_to("../elsewhere.yaml")
    (clone.root / "configs" / "team").symlink_to("..")
    clone.commit({})
    head = Commit.of(clone.root, "HEAD")
    assert head.entries("configs/") == {A: "file", B: "link", "configs/team": "link"}
    assert head.entries("configs", "elsewhere.yaml")["elsewhere.yaml"] == "file"
