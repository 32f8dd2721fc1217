"""Pipelines of Kubeflow's users about values and artifacts: inputs of steps, and the paths that steps write to."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

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
def work_below_gcs(bucket: str) -> str:
    import os
    from pathlib import Path

    folder = f"/gcs/{bucket}/given/model"
    found = " ".join(sorted(os.listdir(folder)))
    os.makedirs(f"/gcs/{bucket}/made", exist_ok=True)
    Path(f"/gcs/{bucket}/made/text").write_text(Path(folder, "one").read_text())
    try:
        os.remove(f"{folder}/one")
    except OSError as error:
        return f"{found}, {os.path.exists(f'/gcs/{bucket}/no')}, {error.strerror}"
    return "removed"


@dsl.pipeline(name="below-gcs")
def below_gcs(bucket: str):
    work_below_gcs(bucket=bucket)


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
