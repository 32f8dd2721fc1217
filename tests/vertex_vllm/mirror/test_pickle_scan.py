"""Pickled weights: read for the names that they import, within bounds, and never loaded."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from google.cloud.storage import Client

from tests.vertex_vllm.conftest import LocalCloud
from vertex_vllm.errors import InputError, MirrorError, PlanError
from vertex_vllm.hub.access import check_access
from vertex_vllm.mirror import destination, mirror_weights, pickle_scan
from vertex_vllm.mirror.pickle_scan import PickledWeights, pickle_fault, pickled_consent

HARMLESS = pickle.dumps(OrderedDict(weight=1), protocol=2)
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)


class Reduced:
    """Pickles as a call of `name` in `module` with one text."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return self._function, ("id",)


def evil() -> bytes:
    import os

    return pickle.dumps({"weight": Reduced(os.system)}, protocol=2)


def archive(data: bytes, tensors: int = 3, compression: int = zipfile.ZIP_STORED) -> bytes:
    """As torch.save writes it: a pickle and the tensors' bytes, each as an entry."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", compression) as written:
        written.writestr("archive/data.pkl", data)
        for number in range(tensors):
            written.writestr(f"archive/data/{number}", b"\x00\x01" * 20_000)
    return held.getvalue()


def legacy(data: bytes) -> bytes:
    """As torch.save wrote it before 1.6: five pickles, then the tensors' bytes."""
    plain = [pickle.dumps(each, protocol=2) for each in (1001, {"little_endian": True})]
    return MAGIC + b"".join(plain) + data + pickle.dumps(["0"], protocol=2) + b"\x07" * 9000


class Read:
    """Ranges of a file, and how many bytes of it were read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.taken = data, 0

    def __call__(self, start: int, length: int) -> bytes:
        self.taken += length
        return self.data[start : start + length]


def fault_of(data: bytes, path: str = "pytorch_model.bin") -> str:
    return pickle_fault(path, len(data), Read(data))


@pytest.mark.parametrize("form", [archive, legacy, bytes], ids=["archive", "legacy", "bare"])
def test_imports_tell_harmless_weights_from_dangerous_ones(form: Callable[[bytes], bytes]) -> None:
    assert fault_of(form(HARMLESS)) == ""
    assert "loading it would call" in fault_of(form(evil()))
    assert "system" in fault_of(form(evil()))


def calling(name: str) -> bytes:
    """A pickle that calls `name` with one text."""
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n(Vid\ntR.".encode()


@pytest.mark.parametrize(
    "name",
    [
        *("torch._utils._rebuild_tensor_v2", "torch.BFloat16Storage", "torch.storage.UntypedStorage", "torch.Size"),
        *("torch.float8_e4m3fn", "torch.cuda.sparse.HalfTensor", "collections.OrderedDict", "_codecs.encode"),
        *("__builtin__.set", "torch._utils._rebuild_parameter", "torch.per_channel_affine_float_qparams"),
    ],
)
def test_names_of_tensors_are_taken(name: str) -> None:
    read = Read(calling(name))
    assert pickle_fault("model.bin", len(read.data), read) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("importlib.import_module", "io.FileIO", "torch.hub.load", "torch.utils._config_module.load_config"),
        *("logging.config._resolve", "http.client.HTTPSConnection", "zipfile.ZipFile", "numpy.core.multiarray.scalar"),
        *(
            "transformers.pipeline",
            "torch.load",
            "torch.Storage.x",
            "torch._utils.x._rebuild_tensor",
            "evil.torch.Size",
        ),
    ],
)
def test_a_name_that_no_list_calls_dangerous_is_refused_too(name: str) -> None:
    read = Read(calling(name))
    assert name in pickle_fault("model.bin", len(read.data), read)


def test_of_an_archive_the_tensors_are_not_read() -> None:
    data = archive(HARMLESS, tensors=50)
    read = Read(data)
    assert pickle_fault("pytorch_model.bin", len(data), read) == ""
    assert read.taken < len(data) / 2


def test_a_file_that_cannot_be_scanned_counts_as_dangerous() -> None:
    assert "its archive is compressed" in fault_of(archive(HARMLESS, compression=zipfile.ZIP_DEFLATED))
    assert "cannot be scanned" in fault_of(b"PK\x03\x04 and nothing more")
    assert "cannot be scanned" in fault_of(b"no pickle at all")
    assert "cannot be scanned" in fault_of(b"")
    assert "cannot be scanned" in fault_of(archive(b"\x80\x02}q\x00."))
    assert "cannot be scanned" in fault_of(archive(HARMLESS[:-4]))


def test_pickles_beyond_the_bound_are_refused_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "_MOST_PICKLED", 1 << 20)
    data = archive(pickle.dumps(list(range(900_000)), protocol=2), tensors=1)
    read = Read(data)
    assert "its pickles have more than 1 MiB" in pickle_fault("pytorch_model.bin", len(data), read)
    assert read.taken < 2 << 20


def test_a_file_that_is_replaced_meanwhile_ends_the_scan() -> None:
    with pytest.raises(MirrorError, match="was changed while it was scanned"):
        pickle_fault("pytorch_model.bin", 100, lambda start, length: None)


def test_consent_is_one_of_three_words() -> None:
    assert [pickled_consent(given) for given in ("refuse", "scanned", "any")] == ["refuse", "scanned", "any"]
    with pytest.raises(InputError, match="is not refuse, scanned or any"):
        pickled_consent("yes")


def mirror(project: str, local: LocalCloud, weights: bytes, consent: PickledWeights) -> list[str]:
    """Objects of the mirror."""
    model_id = local.repo({"config.json": b'{"model_type": "llama"}', "pytorch_model.bin": weights})
    commit = check_access(model_id, "main", None).commit
    bucket = Client(project=project).create_bucket(f"{project}-weights", location="us-central1")
    uri = destination(bucket.name, model_id, commit)
    try:
        mirror_weights(model_id, commit, None, uri, project, pickled_weights=consent)
    finally:
        found = [blob.name.rpartition("/")[2] for blob in bucket.list_blobs(prefix="models/")]
    return found


def test_by_default_nothing_pickled_is_copied(cloud: Any, project: str, local: LocalCloud) -> None:
    with pytest.raises(PlanError) as refused:
        mirror(project, local, archive(HARMLESS), "refuse")
    assert refused.value.message.startswith("pytorch_model.bin is pickled")
    assert "mirror.pickled_weights (--pickled-weights) to scanned" in refused.value.fix
    assert list(Client(project=project).bucket(f"{project}-weights").list_blobs()) == []


def test_with_consent_harmless_weights_are_published(cloud: Any, project: str, local: LocalCloud) -> None:
    assert "vertex-vllm-manifest.json" in mirror(project, local, archive(HARMLESS), "scanned")


def test_dangerous_weights_are_refused_and_nothing_is_published(cloud: Any, project: str, local: LocalCloud) -> None:
    with pytest.raises(MirrorError, match=r"pytorch_model.bin: loading it would call .*system; nothing of it"):
        mirror(project, local, archive(evil()), "scanned")
    bucket = Client(project=project).bucket(f"{project}-weights")
    assert not [blob for blob in bucket.list_blobs() if blob.name.endswith("manifest.json")]


def test_whoever_takes_any_gets_any(cloud: Any, project: str, local: LocalCloud) -> None:
    assert "vertex-vllm-manifest.json" in mirror(project, local, archive(evil()), "any")
