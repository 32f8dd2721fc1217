"""Each tutorial is walked as written, in a fresh folder, with a local cloud of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import daemon
from tests.docs.own_cloud import persons_environment, serve_small_models
from tests.docs.walking import missing_lines, walk

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("first-deployment.md", "tutorials/vision.md", "tutorials/schedule.md", "tutorials/ci.md")

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    # The page stops the local cloud too, unless the walk failed before.
    daemon.down(tmp_path / "my-models" / ".local-cloud")


def walked(page: str, text: str, folder: Path) -> None:
    (folder / "page.md").write_text(text, encoding="utf-8")
    for block, output in walk(folder / "page.md", folder, persons_environment()):
        assert missing_lines(block.shown, output) == [], f"{page}:\n{block.commands}\n{output}"


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_is_as_its_page_says(page: str, folder: Path) -> None:
    """With a small server in the place of vLLM: the page's commands are the same."""
    images = serve_small_models(folder / "served")
    prepared = f"cd my-models\nmkdir .local-cloud && cp {images} .local-cloud/\n"
    walked(page, (DOCS / page).read_text(encoding="utf-8").replace("cd my-models\n", prepared), folder)


@pytest.mark.vllm
@pytest.mark.parametrize("page", ["tutorials/vision.md", "first-deployment.md"])
def test_a_tutorial_with_real_vllm(page: str, folder: Path) -> None:
    """The pages that say that they run with real vLLM."""
    walked(page, (DOCS / page).read_text(encoding="utf-8"), folder)


def test_every_tutorial_is_walked() -> None:
    written = {path.relative_to(DOCS).as_posix() for path in (DOCS / "tutorials").glob("*.md")}
    assert written | {"first-deployment.md"} == set(PAGES)
