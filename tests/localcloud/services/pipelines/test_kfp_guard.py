"""The private parts of kfp that steps rely on: a new version of kfp must be read before it is pinned."""

import inspect
from importlib.metadata import version

from kfp.dsl import component_factory, executor
from kfp.dsl.types import artifact_types

from localcloud.services.pipelines.step_packages import without_satisfied_install
from localcloud.services.pipelines.warm_component import component_arguments


def test_kfp_is_the_version_that_was_read() -> None:
    assert version("kfp") == "2.17.0"


def test_an_artifact_s_path_is_made_of_what_a_step_redirects() -> None:
    assert artifact_types._GCS_LOCAL_MOUNT_PREFIX == "/gcs/"
    assert "self._get_path()" in inspect.getsource(artifact_types.Artifact.path.fget)
    assert "_GCS_LOCAL_MOUNT_PREFIX" in inspect.getsource(artifact_types.Artifact._get_path)
    assert "_GCS_LOCAL_MOUNT_PREFIX" in inspect.getsource(artifact_types.convert_local_path_to_remote_path)


def test_an_executor_leaves_out_what_it_was_not_given() -> None:
    assert "if value is not None" in inspect.getsource(executor.Executor.execute)


def test_an_installation_that_changes_nothing_is_left_out_and_the_rest_is_a_python_component() -> None:
    preamble = component_factory._get_packages_to_install_command(packages_to_install=["packaging"])
    component = ["sh", "-ec", _component_script(), "source", "--executor_input", "{}"]
    assert without_satisfied_install([*preamble, *component]) == component
    assert component_arguments(component) is not None


def test_an_installation_that_this_environment_does_not_hold_stays() -> None:
    for packages in (["no-such-package"], ["packaging==0.1"], ["packaging[extra]"], ["./folder"]):
        preamble = component_factory._get_packages_to_install_command(packages_to_install=packages)
        command = [*preamble, "sh", "-ec", _component_script(), "source"]
        assert without_satisfied_install(command) == command


def _component_script() -> str:
    def nothing() -> None:
        pass

    command, _ = component_factory._get_command_and_args_for_lightweight_component(func=nothing)
    return str(command[command.index("-ec") + 1])
