"""Pipelines of Kubeflow's users about components: containers, placeholders, artifacts' kinds, defaults, resources."""

from typing import NamedTuple, Optional

from kfp import components, dsl
from kfp.dsl import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    Input,
    InputPath,
    Markdown,
    Model,
    Output,
    OutputPath,
)

from tests.strangers.kubeflow_values import step


@step
def defaults_of_all_types(
    text: str = "",
    word: str = 'it\'s "{{$.inputs}}" %s ü\n',
    count: int = 0,
    ratio: float = 0.0,
    whole: float = 3,
    flag: bool = False,
    items: list = [],  # noqa: B006
    mapping: dict = {},  # noqa: B006
    typed: list[str] = ["a"],  # noqa: B006
    numbers: dict[str, int] = {"a": 1},  # noqa: B006
    maybe: Optional[dict] = None,  # noqa: UP045
) -> str:
    return repr((text, word, count, ratio, whole, flag, items, mapping, typed, numbers, maybe))


@dsl.pipeline(name="defaults")
def defaults(text: str = "", ratio: float = 0.0, flag: bool = False, items: list = [], mapping: dict = {}):  # noqa: B006
    defaults_of_all_types()
    defaults_of_all_types(text=text, ratio=ratio, flag=flag, items=items, mapping=mapping)


@dsl.container_component
def read_it(data: Input[Dataset], count: OutputPath(int), mapping: OutputPath(dict), extra: Optional[str] = None):  # noqa: UP045
    script = (
        "import json, os, sys\n"
        "data = open(sys.argv[1]).read()\n"
        "for path, value in ((sys.argv[2], len(data)), (sys.argv[3], {'words': sys.argv[4:]})):\n"
        "    open(path, 'w').write(json.dumps(value))\n"
    )
    return dsl.ContainerSpec(
        image="python:3.11",
        command=["python3", "-c", script, data.path, count, mapping],
        args=[
            data.metadata["length"],
            dsl.ConcatPlaceholder(["--from=", data.uri]),
            dsl.IfPresentPlaceholder(input_name="extra", then=dsl.ConcatPlaceholder(["--extra=", extra]), else_="none"),
            dsl.IfPresentPlaceholder(input_name="data", then=["--data", "there"]),
        ],
    )


@step
def written(data: Output[Dataset]) -> None:
    with open(data.path, "w") as file:
        file.write("four")
    data.metadata["length"] = 4


@step
def sum_of(count: int, mapping: dict) -> str:
    return repr((count, mapping["words"][2:]))


@dsl.pipeline(name="container-outputs")
def container_outputs():
    data = written().outputs["data"]
    plain = read_it(data=data)
    sum_of(count=plain.outputs["count"], mapping=plain.outputs["mapping"])
    more = read_it(data=data, extra="a b")
    sum_of(count=more.outputs["count"], mapping=more.outputs["mapping"])


_TEXT = """
name: From a file
inputs: [{name: Text, type: String}, {name: Times, type: Integer, default: '2', optional: true}]
outputs: [{name: Copy, type: Dataset}, {name: Length, type: Integer}]
implementation:
  container:
    image: python:3.11
    command: [python3, -c, "import sys; w = sys.argv[1] * int(sys.argv[2]); open(sys.argv[3], 'w').write(w); open(sys.argv[4], 'w').write(str(len(w)))"]
    args: [{inputValue: Text}, {inputValue: Times}, {outputPath: Copy}, {outputPath: Length}]
"""  # noqa: E501
from_a_file = components.load_component_from_text(_TEXT)


@step
def path_of(copy: InputPath("Dataset"), length: int) -> str:
    with open(copy) as file:
        return f"{file.read()} {length}"


@dsl.pipeline(name="loaded")
def loaded():
    made = from_a_file(text="ab")
    path_of(copy=made.outputs["copy"], length=made.outputs["length"])


@step
def names(job: str, job_id: str, resource: str, task: str, created: str, root: str) -> str:
    return "|".join((job, str(job_id == job or bool(job_id)), resource, task, created, root))


@dsl.pipeline(name="placeholders")
def placeholders():
    names(
        job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        root=dsl.PIPELINE_ROOT_PLACEHOLDER,
    )


@step
def reports(
    curve: Output[ClassificationMetrics], page: Output[HTML], text: Output[Markdown], folder: Output[Model]
) -> NamedTuple("Reports", [("count", int), ("words", list)]):
    import os

    curve.log_confusion_matrix(["cat", "dog"], [[9, 1], [2, 8]])
    curve.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    for artifact, words in ((page, "<b>page</b>"), (text, "# Text")):
        with open(artifact.path, "w") as file:
            file.write(words)
    os.makedirs(folder.path)
    for name in ("a.txt", "b.txt"):
        with open(os.path.join(folder.path, name), "w") as file:
            file.write(name)
    return (2, ["a", "b"])


@step
def read_reports(curve: Input[Artifact], page: Input[HTML], text: Input[Markdown], folder: Input[Model]) -> str:
    import os

    matrix = curve.metadata["confusionMatrix"]
    rows = [row["row"] for row in matrix["rows"]]
    return repr((rows, open(page.path).read(), open(text.path).read(), sorted(os.listdir(folder.path))))


@dsl.pipeline(name="reports-of-all-kinds")
def reports_of_all_kinds():
    made = reports()
    read_reports(**{name: made.outputs[name] for name in ("curve", "page", "text", "folder")})


def _twice(text: str) -> str:
    return text * 2


@dsl.component(base_image="python:3.11", install_kfp_package=False, additional_funcs=[_twice])
def with_a_function(text: str) -> str:
    return _twice(text)


@dsl.pipeline(name="resources")
def resources(accelerators: int = 1):
    task = with_a_function(text="ab").set_display_name("Twice").set_caching_options(False)
    task.set_cpu_request("100m").set_cpu_limit("2").set_memory_request("1G").set_memory_limit("2Gi")
    task.set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(1)
    task.set_env_variable("A", "b")


@dsl.pipeline(name="cached")
def cached(text: str = "ab"):
    with_a_function(text=text).set_caching_options(True)


@step
def uri_of(data: Input[Dataset]) -> str:
    return data.uri


@dsl.pipeline(name="imported")
def imported():
    made = written()
    again = dsl.importer(artifact_uri=uri_of(data=made.outputs["data"]).output, artifact_class=Dataset, reimport=True)
    path_of(copy=again.output, length=4)


@step
def artifact_or_none(data: Optional[Input[Dataset]] = None, items: Optional[Input[list[Dataset]]] = None) -> str:  # noqa: UP045
    return repr((data is None, items))


@dsl.pipeline(name="optional-artifacts")
def optional_artifacts(data: Optional[Input[Dataset]] = None):  # noqa: UP045
    artifact_or_none()
    artifact_or_none(data=data)
    artifact_or_none(data=written().outputs["data"])
