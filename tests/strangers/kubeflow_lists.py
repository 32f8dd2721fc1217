"""Pipelines of Kubeflow's users about lists of artifacts and inputs that may be left out."""

from typing import List, Optional  # noqa: UP035

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input

from tests.strangers.kubeflow_values import read_all, read_any, square, step, write, write_number


@step
def list_or_none(data: Optional[Input[List[Dataset]]] = None) -> str:  # noqa: UP006, UP045
    return repr(None if data is None else [open(each.path).read() for each in data])


@step
def facts_of(data: Input[List[Artifact]]) -> str:  # noqa: UP006
    return repr([(each.uri.startswith("gs://"), type(each).__name__, each.metadata.get("length")) for each in data])


@dsl.pipeline(name="inner-list")
def inner_list(data: Optional[Input[List[Dataset]]] = None) -> str:  # noqa: UP006, UP045
    return list_or_none(data=data).output


@dsl.pipeline(name="lists-of-artifacts")
def lists_of_artifacts(none: list = []):  # noqa: B006
    with dsl.ParallelFor(["a", "bb"]) as text:
        made = write(text=text)
        with dsl.If(text == "bb"):
            again = write(text=text)
    facts_of(data=dsl.Collected(made.outputs["data"]))
    inner_list()
    inner_list(data=dsl.Collected(made.outputs["data"]))
    list_or_none(data=dsl.Collected(again.outputs["data"]))
    with dsl.ParallelFor(none) as nothing:
        never = write(text=nothing)
    list_or_none(data=dsl.Collected(never.outputs["data"]))


@dsl.pipeline(name="makes-a-list")
def makes_a_list(texts: list) -> List[Dataset]:  # noqa: UP006
    with dsl.ParallelFor(texts) as text:
        made = write(text=text)
    return dsl.Collected(made.outputs["data"])


@dsl.pipeline(name="list-of-a-pipeline")
def list_of_a_pipeline(texts: list = ["x", "yy"]):  # noqa: B006
    made = makes_a_list(texts=texts)
    read_all(data=made.output)
    with dsl.ParallelFor(made.output) as each:
        read_any(data=each)


@step
def length_and_numbers(data: Input[List[Dataset]], numbers: List[List[int]]) -> str:  # noqa: UP006
    return repr((len(data), numbers))


@dsl.pipeline(name="lists-of-lists")
def lists_of_lists():
    with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor([3]) as inner:
        squared = square(number=inner)
        made = write_number(number=outer)
    length_and_numbers(data=dsl.Collected(made.outputs["data"]), numbers=dsl.Collected(squared.output))


@dsl.pipeline(name="imported-list")
def imported_list(uris: list):
    with dsl.ParallelFor(uris) as uri:
        imported = dsl.importer(artifact_uri=uri, artifact_class=Dataset)
    read_all(data=dsl.Collected(imported.output))


@step
def number_or_none(number: int, count: Optional[int] = None) -> str:  # noqa: UP045
    return repr((number, count))


@dsl.container_component
def flags(
    told: dsl.OutputPath(str),
    text: Optional[str] = None,  # noqa: UP045
    count: Optional[int] = None,  # noqa: UP045
):
    script = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))"
    return dsl.ContainerSpec(
        image="python:3.11",
        command=["python3", "-c", script, told],
        args=[
            dsl.IfPresentPlaceholder(input_name="text", then=["--text", text], else_=["--no-text"]),
            dsl.IfPresentPlaceholder(input_name="count", then=["--count", count]),
        ],
    )


@dsl.pipeline(name="left-out")
def left_out(text: Optional[str] = None, count: Optional[int] = None):  # noqa: UP045
    flags()
    flags(text=text, count=count)
    flags(text="", count=0)
    with dsl.ParallelFor([1, 2]) as number:
        number_or_none(number=number, count=count)
