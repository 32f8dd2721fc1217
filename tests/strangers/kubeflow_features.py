"""Pipelines with one feature of Kubeflow Pipelines each, written as its users write them."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output, PipelineTaskFinalStatus

from tests.strangers.kubeflow_values import read, read_any, shape_of, square, step, write, write_number


@step
def pairs() -> list:
    return [{"a": 1, "b": {"c": "x"}}, {"a": 2, "b": {"c": "y"}}]


@step
def join(number: int, rest: dict) -> str:
    return f"{number!r}{rest['c']}"


@dsl.pipeline(name="many")
def many() -> list[Dataset]:
    with dsl.ParallelFor([1, 2]) as number:
        made = write_number(number=number)
    return dsl.Collected(made.outputs["data"])


@dsl.pipeline(name="loops-over")
def loops_over():
    with dsl.ParallelFor(pairs().output) as item:
        join(number=item.a, rest=item.b)
    with dsl.ParallelFor([{"a": 3, "b": 1}, {"a": 4, "b": 1}], parallelism=1) as item:
        square(number=item.a)
    with dsl.ParallelFor(many().output) as data:
        read_any(data=data)


@step
def fails(text: str = "no reason") -> str:
    raise ValueError(text)


@step
def tell(text: str = "nothing came", count: int = 0) -> str:
    return f"{text} {count!r}"


@step
def last(status: PipelineTaskFinalStatus, note: str = "note") -> str:
    return repr((status.state, status.error_code, "no reason" in (status.error_message or ""), note))


@dsl.pipeline(name="ignored-failure")
def ignored_failure():
    tell(text=fails().output, count=1).ignore_upstream_failure()


@dsl.pipeline(name="exit-handler")
def exit_handler():
    with dsl.ExitHandler(last(note="after")):
        fails()


@dsl.pipeline(name="inner")
def inner(text: str) -> NamedTuple("Inner", [("told", str), ("data", Dataset)]):
    told = tell(text=text, count=2)
    written = write(text=text)
    return NamedTuple("Inner", [("told", str), ("data", Dataset)])(told=told.output, data=written.outputs["data"])


@dsl.pipeline(name="sub-pipeline-outputs")
def sub_pipeline_outputs() -> str:
    nested = inner(text="deep")
    read_any(data=nested.outputs["data"])
    return tell(text=nested.outputs["told"]).output


@dsl.pipeline(name="branches")
def branches(number: int = 2) -> str:
    with dsl.If(number == 1):
        first = tell(text="one")
    with dsl.Elif(number == 2):
        second = tell(text="two")
    with dsl.Else():
        third = tell(text="other")
    return tell(text=dsl.OneOf(first.output, second.output, third.output)).output


@dsl.pipeline(name="artifact-branches")
def artifact_branches(flag: bool = False):
    with dsl.If(flag == True):  # noqa: E712 - how a condition on a boolean is written
        yes = write(text="yes")
    with dsl.Else():
        no = write(text="no")
    read_any(data=dsl.OneOf(yes.outputs["data"], no.outputs["data"]))


@dsl.container_component
def words(
    text: str,
    told: dsl.OutputPath(str),
    copy: Output[Dataset],
    missing: Optional[str] = None,  # noqa: UP045
    count: int = 3,
    ratio: float = 2.0,
    flag: bool = False,
    items: list = [1, "b"],  # noqa: B006
):
    script = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[3:])); open(sys.argv[2], 'w').write('copied')"
    return dsl.ContainerSpec(
        image="python:3.11",
        command=["python3", "-c", script],
        args=[
            told,
            copy.path,
            dsl.ConcatPlaceholder(["--text=", text]),
            dsl.IfPresentPlaceholder(input_name="missing", then=["--missing", missing], else_=["--none"]),
            count,
            ratio,
            flag,
            items,
        ],
    )


@dsl.pipeline(name="container")
def container(text: str = "it's; $HOME"):
    spoken = words(text=text)
    tell(text=spoken.outputs["told"])
    read_any(data=spoken.outputs["copy"])


@step
def second_time(path: str) -> int:
    import os

    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < 2:
        raise ConnectionError("not yet")
    return os.path.getsize(path)


@dsl.pipeline(name="retries")
def retries(path: str):
    second_time(path=path).set_retry(num_retries=3, backoff_duration="0s", backoff_factor=1.0)


@dsl.pipeline(name="texts")
def texts(name: str = "Ada", count: int = 2):
    told = tell(text="x", count=count)
    tell(text=f"{name} {count} {told.output} {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}", count=count)
    shape_of(value={"Ada": [told.output, count, f"{count}!"]})


@step
def log_all(metrics: Output[Metrics], model: Output[Model]) -> None:
    metrics.log_metric("accuracy", 0.5)
    metrics.log_metric("steps", 10)
    model.framework = "none"
    model.metadata["labels"] = ["a", 1]


@step
def of_model(model: Input[Model], metrics: Input[Metrics]) -> str:
    return repr((model.framework, model.metadata["labels"], metrics.metadata))


@dsl.pipeline(name="metadata")
def metadata():
    made = log_all()
    of_model(model=made.outputs["model"], metrics=made.outputs["metrics"])


@step
def returns_an_artifact(text: str) -> Dataset:
    data = Dataset(uri=dsl.get_uri(), metadata={"length": len(text)})
    with open(data.path, "w") as file:
        file.write(text)
    return data


@dsl.pipeline(name="returned-artifact")
def returned_artifact():
    read(data=returns_an_artifact(text="returned").output)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def environment_of() -> str:
    import os

    return os.environ["GREETING"]


@dsl.pipeline(name="variables")
def variables():
    environment_of().set_env_variable("GREETING", "hello {{$.pipeline_job_name}}")


@dsl.component(base_image="python:3.11")
def with_kfp_installed(text: str) -> str:
    import kfp

    return f"{text} {kfp.__version__}"


@dsl.pipeline(name="installed")
def installed():
    with_kfp_installed(text="kfp")
