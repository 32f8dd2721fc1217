from pathlib import Path

import pytest

from localcloud.containers.programs import Image, find_image
from localcloud.core.api_errors import ApiError

SERVER = "example.com/servers/server:1"
ADDED = """
images:
  - image: "*/servers/*"
    command: ["{python}", -m, server]
    variables: [SERVER_CACHE]
"""
OWN = """
images:
  - image: "example.com/own/*"
    command: [python3, server.py, "{port}"]
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The user's own file, which does not exist yet, and an added one."""
    added = tmp_path / "added.yaml"
    added.write_text(ADDED)
    return tmp_path / "images.yaml", added


def test_an_added_row_gives_its_program_and_the_variables_that_it_needs(files: tuple[Path, Path]) -> None:
    assert find_image(SERVER, files) == Image("*/servers/*", ("{python}", "-m", "server"), ("SERVER_CACHE",))


def test_own_images_run_own_programs(files: tuple[Path, Path]) -> None:
    files[0].write_text(OWN)
    expected = Image("example.com/own/*", ("python3", "server.py", "{port}"))
    assert find_image("example.com/own/server:1", files) == expected
    assert find_image(SERVER, files).command[2] == "server"


def test_own_rows_come_first(files: tuple[Path, Path]) -> None:
    files[0].write_text(OWN.replace("example.com/own/*", "*/servers/*"))
    assert find_image(SERVER, files).command[0] == "python3"


def test_any_other_image_is_refused_with_what_can_run(files: tuple[Path, Path]) -> None:
    with pytest.raises(ApiError) as refusal:
        find_image("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest", files)
    assert (refusal.value.code, refusal.value.message) == (
        "INVALID_ARGUMENT",
        'Invalid image "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest" for deployment. '
        "Please use a Model with a valid image. This machine can run: */servers/*. "
        f"To run a program of your own as this image, name both in {files[0]}.",
    )


def test_without_additions_no_image_can_run(tmp_path: Path) -> None:
    with pytest.raises(ApiError) as refusal:
        find_image(SERVER, [tmp_path / "images.yaml"])
    assert "This machine can run: no image. " in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "images",
        "images: {}",
        "images: [x]",
        "images: [{image: a}]",
        "images: [{image: a, command: []}]",
        "images: [{image: a, command: [b], variables: HOME}]",
        "images: [{image: a, command: [b], environment: [HOME]}]",
        "a: [",
        "[]",
    ],
)
def test_a_malformed_file_is_named(text: str, files: tuple[Path, Path]) -> None:
    files[0].write_text(text)
    with pytest.raises(ApiError) as refusal:
        find_image(SERVER, files)
    assert refusal.value.code == "FAILED_PRECONDITION"
    assert refusal.value.message.startswith(f"{files[0]} is malformed")
