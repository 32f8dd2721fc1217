"""A component's input and output: `ExecutorInput` and `ExecutorOutput` of the pipeline spec, as JSON."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.services.pipelines.job import ArtifactRecord
from localcloud.services.pipelines.values import artifacts_in, typed

Json = Mapping[str, Any]

OUTPUT_FILE = "executor_output.json"


def executor_input(component: Json, arguments: Json, outputs: Mapping[str, ArtifactRecord], folder: Path) -> Any:
    """The `ExecutorInput` of a task, as JSON. `arguments`: values by input name; `outputs`: artifacts it may write.

    `folder`: the task's folder for its other outputs. An input that is None is left out: the component's default
    applies.
    """
    definitions: Json = component.get("inputDefinitions", {})
    declared: Json = definitions.get("parameters", {})
    artifacts: Json = definitions.get("artifacts", {})
    defaults = {name: item["defaultValue"] for name, item in declared.items() if "defaultValue" in item}
    given = {name: value for name, value in arguments.items() if value is not None}
    values = {name: value for name, value in {**defaults, **given}.items() if name not in artifacts}
    parameters = _keys(component, "parameters")
    return {
        "inputs": {
            "parameterValues": {name: typed(value, declared.get(name, {})) for name, value in values.items()},
            "artifacts": {name: _listed(*artifacts_in(given[name])) for name in artifacts if name in given},
        },
        "outputs": {
            "parameters": {name: {"outputFile": str(folder / name)} for name in parameters},
            "artifacts": {name: _listed(record) for name, record in outputs.items()},
            "outputFile": str(folder / OUTPUT_FILE),
        },
    }


def output_records(component: Json, name_of: Callable[[str], str], folder_uri: str) -> dict[str, ArtifactRecord]:
    """The artifacts that a task may write, still empty. `name_of`: output name → resource name of its artifact."""
    definitions: Json = component.get("outputDefinitions", {}).get("artifacts", {})
    return {
        name: ArtifactRecord(
            name=name_of(name),
            uri=f"{folder_uri}/{name}",
            schema_title=definition.get("artifactType", {}).get("schemaTitle", ""),
            schema_version=definition.get("artifactType", {}).get("schemaVersion", ""),
            metadata={},
        )
        for name, definition in definitions.items()
    }


def written_parameters(component: Json, told: Json) -> dict[str, Any]:
    """The output parameters of a task that succeeded; `told` is the `ExecutorInput` that it got.

    A value in the executor's output takes precedence over a file. Raises ValueError if both are missing, as Kubeflow's
    launcher refuses it (kubeflow/pipelines, `backend/src/v2/component/launcher_v2.go`, `collectOutputParameters`,
    read in November 2026), and for a file whose text is not of the declared type.
    """
    definitions: Json = component.get("outputDefinitions", {}).get("parameters", {})
    found = dict(executor_output(told).get("parameterValues", {}))
    for name, definition in definitions.items():
        if found.get(name) is None:
            path = Path(told["outputs"]["parameters"][name]["outputFile"])
            found[name] = _read(name, path, str(definition.get("parameterType")))
    return {name: typed(value, definitions.get(name, {})) for name, value in found.items()}


def executor_output(told: Json) -> Any:
    """The `ExecutorOutput` that a task wrote; empty if it wrote none, which a container may omit."""
    path = Path(told["outputs"]["outputFile"])
    return json.loads(path.read_text()) if path.is_file() else {}


def written_artifacts(told: Json, outputs: Mapping[str, ArtifactRecord]) -> dict[str, tuple[ArtifactRecord, str]]:
    """By output name: the artifact as the task left it, and the path that the task chose for its content ("": none)."""
    answer = executor_output(told).get("artifacts", {})
    return {name: _written(record, answer.get(name, {}).get("artifacts", [])) for name, record in outputs.items()}


def _written(record: ArtifactRecord, answer: list[Any]) -> tuple[ArtifactRecord, str]:
    if not answer:
        return record, ""
    told = answer[0]
    uri, metadata = told.get("uri") or record.uri, told.get("metadata", {})
    return record.model_copy(update={"uri": uri, "metadata": metadata}), str(told.get("custom_path", ""))


def _listed(*records: ArtifactRecord) -> Any:
    return {
        "artifacts": [
            {
                "name": record.name,
                "type": {"schemaTitle": record.schema_title, "schemaVersion": record.schema_version},
                "uri": record.uri,
                "metadata": record.metadata,
            }
            for record in records
        ]
    }


def _keys(component: Json, kind: str) -> list[str]:
    return list(component.get("outputDefinitions", {}).get(kind, {}))


def _read(name: str, path: Path, parameter_type: str) -> Any:
    """The value in a parameter's file: text for a STRING, else JSON; booleans also in Python's spelling."""
    if not path.is_file():
        raise ValueError(f"the output {name} was not written: it has neither a value nor a file at {path}")
    text = path.read_text()
    if parameter_type == "STRING":
        return text
    try:
        return json.loads(text.lower() if parameter_type == "BOOLEAN" else text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the output {name} has to be {parameter_type}, but its file holds {text!r}") from error
