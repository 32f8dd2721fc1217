"""The private parts of kfp.local that this package uses or replaces: a new kfp has to be read before it is let in."""

import inspect
from importlib.metadata import version

from kfp.local import io, placeholder_utils, status, task_dispatcher
from kfp.local.orchestrator import task_executor
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils

from localcloud.pipelines.kfp_local import TaskHandler


def names(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_kfp_is_the_version_that_was_read() -> None:
    assert version("kfp") == "2.17.0"


def test_what_is_used_has_the_known_signatures() -> None:
    assert names(task_executor.execute_single_task) == [
        "task_name",
        "task_spec",
        "pipeline_resource_name",
        "components",
        "executors",
        "io_store",
        "pipeline_root",
        "runner",
        "unique_pipeline_id",
        "fail_stack",
    ]
    assert names(OrchestratorUtils.make_task_arguments) == ["task_inputs_spec", "io_store"]
    assert names(io.IOStore.put_task_output) == ["self", "task_name", "key", "value"]
    assert names(io.IOStore.put_parent_input) == ["self", "key", "value"]
    assert names(io.IOStore.get_task_output) == ["self", "task_name", "key"]
    assert {each.name for each in status.Status} == {"SUCCESS", "FAILURE"}


def test_what_is_replaced_has_the_known_signatures() -> None:
    base = TaskHandler.__mro__[1]
    assert names(base.__init__) == ["self", "image", "full_command", "pipeline_root", "runner", "env_vars"]
    assert {"run", "validate_image", "validate_not_container_component"} <= vars(base).keys()
    assert "validate_not_containerized_python_component" in vars(base)
    source = inspect.getsource(task_dispatcher.run_single_task_implementation)
    assert "subprocess_task_handler.SubprocessTaskHandler" in source
    assert "resolve_io_placeholders(executor_input_dict, element)" in inspect.getsource(
        placeholder_utils.resolve_individual_placeholder
    )
