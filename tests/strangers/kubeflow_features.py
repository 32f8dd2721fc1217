"""Pipelines with one feature of Kubeflow Pipelines each, written as its users write them."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output, PipelineTaskFinalStatus

step = dsl.component(base_image="python:3.11", install_kfp_package=False)


@step
def shape_of(value: dict) -> str:
    return repr(value)


@step
def shapes(items: list, mapping: dict, ratio: float, count: int, flag: bool) -> str:
    return repr((items, dict(sorted(mapping.items())), ratio, count, flag))


@step
def numbers() -> NamedTuple("Numbers", [("items", list), ("mapping", dict), ("count", int), ("ratio", float)]):
    return ([1, 2.5, [3]], {"a": {"b": 4}}, 5, 6.0)


@dsl.pipeline(name="whole-numbers")
def whole_numbers(items: list = [1, {"a": 2}], mapping: dict = {"n": 3, "x": 0.5}, count: int = 7):  # noqa: B006
    given = shapes(items=items, mapping=mapping, ratio=1.0, count=count, flag=True)
    made = numbers()
    shapes(
        items=made.outputs["items"],
        mapping=made.outputs["mapping"],
        ratio=made.outputs["ratio"],
        count=made.outputs["count"],
        flag=False,
    ).after(given)


@step
def defaults(
    text: Optional[str] = None,  # noqa: UP045
    count: Optional[int] = None,  # noqa: UP045
    ratio: Optional[float] = None,  # noqa: UP045
    flag: Optional[bool] = None,  # noqa: UP045
    items: Optional[list] = None,  # noqa: UP045
    mapping: Optional[dict] = None,  # noqa: UP045
    usual: int = 3,
    data: Optional[Input[Dataset]] = None,  # noqa: UP045
) -> str:
    return repr((text, count, ratio, flag, items, mapping, usual, data))


@dsl.pipeline(name="inner-optional")
def inner_optional(count: Optional[int] = None, usual: int = 4):  # noqa: UP045
    defaults(count=count, usual=usual)


@dsl.pipeline(name="optional-inputs")
def optional_inputs(count: Optional[int] = None, flag: Optional[bool] = None):  # noqa: UP045
    defaults()
    defaults(count=count, flag=flag)
    inner_optional()
    inner_optional(count=count)


@step
def write(text: str, data: Output[Dataset]) -> None:
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["length"] = len(text)


@step
def read(data: Input[Dataset]) -> NamedTuple("Read", [("text", str), ("uri", str), ("name", str), ("path", str)]):
    with open(data.path) as file:
        return (f"{file.read()} {data.metadata['length']!r}", data.uri, data.name, data.path)


@dsl.pipeline(name="artifact-addresses")
def artifact_addresses():
    read(data=write(text="some").outputs["data"])


@step
def read_any(data: Input[Artifact]) -> str:
    import os

    if os.path.isdir(data.path):
        return " ".join(sorted(os.listdir(data.path)))
    with open(data.path) as file:
        return file.read()


@dsl.pipeline(name="importers")
def importers(uri: str, folder: str):
    fixed = dsl.importer(artifact_uri=uri, artifact_class=Dataset, metadata={"uri": uri, "list": [uri, 3]})
    read_any(data=fixed.output)
    read_any(data=dsl.importer(artifact_uri=folder, artifact_class=Model).output)
    again = shape_of(value={"uri": uri})
    dsl.importer(artifact_uri=folder, artifact_class=Model, metadata={"from": again.output, again.output: "key"})


@step
def set_elsewhere(uri: str, data: Output[Dataset]) -> None:
    import os

    data.uri = uri
    os.makedirs(os.path.dirname(data.path), exist_ok=True)
    with open(data.path, "w") as file:
        file.write("elsewhere")


@dsl.pipeline(name="chosen-address")
def chosen_address(uri: str):
    read_any(data=set_elsewhere(uri=uri).outputs["data"])


@step
def square(number: int) -> int:
    return number * number


@step
def add_up(values: list) -> str:
    return repr((values, sum(values)))


@step
def write_number(number: int, data: Output[Dataset]) -> None:
    with open(data.path, "w") as file:
        file.write(str(number))


@step
def read_all(data: Input[list[Dataset]]) -> str:
    return " ".join(open(each.path).read() for each in data)


@dsl.container_component
def texts_of(data: Input[list[Dataset]], told: dsl.OutputPath(str)):
    script = (
        "import json, sys\n"
        "texts = [open(each['uri'].replace('gs://', '/gcs/')).read() for each in json.loads(sys.argv[1])]\n"
        "open(sys.argv[2], 'w').write(' '.join(texts))"
    )
    return dsl.ContainerSpec(image="python:3.11", command=["python3", "-c", script], args=[data, told])


@dsl.pipeline(name="collected")
def collected(threshold: int = 2, none: list = []):  # noqa: B006
    with dsl.ParallelFor([1, 2, 3]) as number:
        squared = square(number=number)
        with dsl.If(number >= threshold):
            skipped = square(number=number)
        with dsl.ParallelFor([1, 2]) as other:
            written = write_number(number=other)
    add_up(values=dsl.Collected(squared.output))
    add_up(values=dsl.Collected(skipped.output))
    read_all(data=dsl.Collected(written.outputs["data"]))
    texts_of(data=dsl.Collected(written.outputs["data"]))
    with dsl.ParallelFor(none) as nothing:
        never = square(number=nothing)
    add_up(values=dsl.Collected(never.output))


@step
def pairs() -> list:
    return [{"a": 1, "b": {"c": "x"}}, {"a": 2, "b": {"c": "y"}}]


@step
def join(number: int, rest: dict) -> str:
    return f"{number!r}{rest['c']}"


@step
def make_files(data: Output[Dataset], count: int = 2) -> None:
    with open(data.path, "w") as file:
        file.write("x" * count)


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
