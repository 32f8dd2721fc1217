"""Packages of a step: an environment of its own per list, never the one that the local cloud runs in."""

import importlib.metadata
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from localcloud.core.cache import CACHE_VARIABLE
from localcloud.services.pipelines import step_interpreter
from localcloud.services.pipelines.run_directory import RunDirectory, variables_of_pip
from localcloud.services.pipelines.step_interpreter import pip_arguments
from localcloud.services.pipelines.step_packages import environment_key, is_satisfied, step_variables

Shell = Callable[..., subprocess.CompletedProcess[str]]
VERSION = importlib.metadata.version("packaging")


def wheel(folder: Path, name: str, answer: int) -> Path:
    """A package of one module; it needs nothing, and is installed without any index."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"ANSWER = {answer}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shell(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a shell script as a step's command; each call is a step of its own."""
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    steps = iter(range(9))

    def run(script: str, *words: str, image: str = "python:3.11") -> subprocess.CompletedProcess[str]:
        scratch = directory.scratch / str(next(steps))
        scratch.mkdir()
        path = f"{directory.programs}:{os.environ['PATH']}"
        environment = {
            **os.environ,
            "PATH": path,
            "HTTPS_PROXY": "http://127.0.0.1:9",
            **step_variables(directory, scratch, image),
        }
        command = ["sh", "-ec", script, "sh", *words]
        return subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    "install",
    [
        "pip install -q",
        pytest.param("python3 -m pip install -q", marks=pytest.mark.slow),
        pytest.param("python -u -m pip install --quiet", marks=pytest.mark.slow),
    ],
)
def test_what_a_step_installs_is_its_own(shell: Shell, cache: Path, tmp_path: Path, install: str) -> None:
    made = wheel(tmp_path, "tiny_answer", 42)
    told = shell(f'{install} "$1" && python3 -c "import tiny_answer; print(tiny_answer.ANSWER)"', str(made))
    assert (told.stdout.strip(), told.returncode) == ("42", 0), told.stderr
    assert shell('python3 -c "import tiny_answer"').returncode == 1
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("tiny_answer")
    # The same list with the same content uses the same environment.
    assert len(list((cache / "step-environments").iterdir())) <= 3


@pytest.mark.slow
def test_a_bare_image_holds_its_list_alone_and_another_image_more(shell: Shell, tmp_path: Path) -> None:
    made = str(wheel(tmp_path, "tiny_other", 1))
    script = 'pip install -q "$1" && python3 -c "import tiny_other, yaml"'
    assert "No module named 'yaml'" in shell(script, made, image="python:3.11").stderr
    told = shell(script, made, image="us-docker.pkg.dev/my-project/images/trainer:1")
    assert told.returncode == 0, told.stderr


def test_what_python_code_installs_can_be_imported_by_it(shell: Shell, tmp_path: Path) -> None:
    made = wheel(tmp_path, "tiny_late", 7)
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', sys.argv[1]], check=True)\n"
        "import tiny_late\nprint(tiny_late.ANSWER)"
    )
    told = shell('python3 -c "$1" "$2"', code, str(made))
    assert (told.stdout.strip(), told.returncode) == ("7", 0), told.stderr


@pytest.mark.slow
def test_lists_add_up_and_a_failed_one_says_why(shell: Shell, tmp_path: Path) -> None:
    one, two = wheel(tmp_path, "tiny_one", 1), wheel(tmp_path, "tiny_two", 2)
    script = 'python3 -m pip install -q "$1"; python3 -m pip install -q "$2"; python3 -c "import tiny_one, tiny_two"'
    told = shell(script, str(one), str(two))
    assert told.returncode == 0, told.stderr
    failed = shell('pip install -q --no-index "no-such-package-of-nobody"')
    assert failed.returncode == 1
    assert "no-such-package-of-nobody" in failed.stderr


def test_an_interpreter_elsewhere_is_not_changed_either(shell: Shell, tmp_path: Path) -> None:
    made = wheel(tmp_path, "tiny_elsewhere", 3)
    elsewhere = tmp_path / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(elsewhere)], check=True)
    told = shell(
        '"$1" -m pip install -q "$2" && python3 -c "import tiny_elsewhere"', f"{elsewhere}/bin/python", str(made)
    )
    assert told.returncode == 0, told.stderr
    assert list(elsewhere.glob("lib/python*/site-packages/tiny_elsewhere*")) == []


def test_pip_does_not_take_anything_away(shell: Shell) -> None:
    told = shell("pip uninstall -y packaging")
    assert (told.returncode, "not supported" in told.stderr) == (1, True)
    assert importlib.metadata.version("packaging") == VERSION
    assert "packaging" in shell("pip list").stdout


@pytest.mark.parametrize(
    ("arguments", "satisfied"),
    [
        (["--quiet", "--no-warn-script-location", "packaging"], True),
        ([f"packaging=={VERSION}", "--no-deps", 'typing-extensions<5; python_version<"3.9"'], True),
        (["packaging==0.1"], False),
        (["packaging[extra]"], False),
        (["--upgrade", "packaging"], False),
        (["-r", "requirements.txt"], False),
        (["packaging @ https://example.com/packaging.whl"], False),
        (["no-such-package-of-nobody"], False),
    ],
)
def test_what_is_there_is_not_installed(arguments: list[str], satisfied: bool) -> None:
    assert is_satisfied(arguments) is satisfied


def test_an_environment_is_known_by_its_lists_and_files() -> None:
    key = environment_key("bare", [["a", "b"]], {})
    assert key == environment_key("bare", [["a", "b"]], {})
    others = [
        environment_key("layered x", [["a", "b"]], {}),
        environment_key("bare", [["b", "a"]], {}),
        environment_key("bare", [["a"], ["b"]], {}),
        environment_key("bare", [["a", "b"]], {"a": "hash"}),
    ]
    assert len({key, *others}) == 5


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (["python3", "-m", "pip", "install", "x"], ["install", "x"]),
        (["python3", "-u", "-m", "pip", "list"], ["list"]),
        (["python", "/usr/bin/pip3", "install", "x"], ["install", "x"]),
        (["python3", "-m", "pipx", "install"], None),
        (["python3", "-c", "import pip"], None),
        (["python3"], None),
    ],
)
def test_pip_is_recognised(command: list[str], arguments: list[str] | None) -> None:
    assert pip_arguments(command) == arguments


def test_pip_goes_the_way_of_the_machine_and_no_other_variable_does() -> None:
    daemon = {"PIP_INDEX_URL": "https://index", "HOME": "/home/me", "https_proxy": "http://proxy", "HF_TOKEN": "secret"}
    assert variables_of_pip(daemon) == {
        "HTTPS_PROXY": None,
        "SSL_CERT_FILE": None,
        "REQUESTS_CA_BUNDLE": None,
        "CURL_CA_BUNDLE": None,
        **{name: value for name, value in daemon.items() if name != "HF_TOKEN"},
    }
    in_the_cloud = {"GCE_METADATA_HOST": "127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:2"}
    assert variables_of_pip(in_the_cloud)["HTTPS_PROXY"] is None


def test_the_interpreter_of_a_step_needs_the_standard_library_alone() -> None:
    source = Path(step_interpreter.__file__)
    told = subprocess.run([sys.executable, "-I", "-S", str(source)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
