"""Pipelines that the tests of this folder run: components of a line or two, without any package to install."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Artifact, Input, Metrics, Model, Output, PipelineTaskFinalStatus


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def write_greeting(name: str, count: int, greeting: Output[Artifact]) -> str:
    text = f"hello {name} " * count
    with open(greeting.path, "w") as file:
        file.write(text)
    greeting.metadata["words"] = 2 * count
    return text


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def read_greeting(greeting: Input[Artifact], model: Output[Model], metrics: Output[Metrics]) -> dict:
    import os

    with open(greeting.path) as file:
        text = file.read()
    os.makedirs(f"{model.path}/weights")
    for name in ("config.json", "weights/part-1"):
        with open(f"{model.path}/{name}", "w") as file:
            file.write(text)
    metrics.log_metric("length", len(text))
    return {"length": len(text), "name": greeting.metadata["words"]}


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def report_environment() -> dict:
    import os
    import tempfile

    return {**os.environ, "cwd": os.getcwd(), "temporary": tempfile.gettempdir()}


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def fail(message: str) -> str:
    raise RuntimeError(message)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def echo(value: str) -> str:
    return value


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def add(left: int, right: int = 1) -> int:
    return left + right


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def total(values: list[int]) -> int:
    return int(sum(values))


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def describe(name: str) -> NamedTuple("Description", [("length", int), ("quoted", str)]):
    return (len(name), f"'{name}'")


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def fail_until(path: str, attempts: int) -> int:
    with open(path, "a") as file:
        file.write("x")
    with open(path) as file:
        done = len(file.read())
    if done < attempts:
        raise ConnectionError(f"attempt {done}")
    return done


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def wait_for_signal(path: str) -> str:
    """Writes its process id to `path`, and the signal that ended its wait."""
    import os
    import signal
    import sys

    def leave(number: int, _frame: object) -> None:
        with open(path, "a") as file:
            file.write(f" {signal.Signals(number).name}")
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        signal.pause()


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def clean_up(path: str, status: PipelineTaskFinalStatus) -> dict:
    import dataclasses
    import json

    found = dataclasses.asdict(status)
    with open(path, "w") as file:
        json.dump(found, file)
    return found


@dsl.container_component
def shout(text: str, loud: dsl.OutputPath(str), copy: Output[Artifact]):
    return dsl.ContainerSpec(
        image="gcr.io/some/image",
        command=["python3", "-c"],
        args=[
            "import sys; open(sys.argv[2], 'w').write(sys.argv[1].upper()); open(sys.argv[3], 'w').write(sys.argv[1])",
            text,
            loud,
            copy.path,
        ],
    )


@dsl.container_component
def no_such_program():
    return dsl.ContainerSpec(image="gcr.io/some/image", command=["no-such-program"])


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def metadata_of(model: Input[Model]) -> dict:
    return {"uri": model.uri, **model.metadata}


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def greet(name: Optional[str] = None) -> str:  # noqa: UP045 - all that kfp reads
    return f"hello {name or 'nobody'}"


@dsl.pipeline(name="greetings")
def greetings(name: str, count: int = 2):
    """Parameters and artifacts from task to task.

    Args:
        name: Who is greeted.
        count: How often.
    """
    written = write_greeting(name=name, count=count)
    read_greeting(greeting=written.outputs["greeting"])


@dsl.pipeline(name="guarded")
def guarded(path: str, message: str):
    """A task that fails, one that needs it, one that does not, and an exit handler."""
    cleaning = clean_up(path=path)
    with dsl.ExitHandler(cleaning):
        failing = fail(message=message)
        echo(value=failing.output).set_display_name("needs")
        add(left=1)


@dsl.pipeline(name="branches")
def branches(text: str):
    """Conditions on a string, on one of several outputs, and a `dsl.OneOf` over them."""
    described = describe(name=text)
    with dsl.If(text == "plain"):
        echo(value="not taken")
    with dsl.If(described.outputs["length"] > 3):
        long = echo(value="long")
    with dsl.Else():
        short = echo(value="short")
    echo(value=dsl.OneOf(long.output, short.output))


@dsl.pipeline(name="loops")
def loops(extra: int = 10):
    """Loops over constants, each iteration using something from outside of the loop, and their results collected."""
    outside = add(left=extra)
    with dsl.ParallelFor([1, 2, 3]) as item:
        inside = add(left=item, right=outside.output)
    total(values=dsl.Collected(inside.output))


@dsl.pipeline(name="retried")
def retried(path: str, attempts: int):
    fail_until(path=path, attempts=attempts).set_retry(num_retries=2, backoff_duration="0s")


@dsl.pipeline(name="waiting")
def waiting(path: str, status_path: str):
    cleaning = clean_up(path=status_path)
    with dsl.ExitHandler(cleaning):
        waited = wait_for_signal(path=path)
        echo(value=waited.output)


@dsl.pipeline(name="containers")
def containers(text: str):
    shouted = shout(text=text)
    echo(value=shouted.outputs["loud"])
    imported = dsl.importer(artifact_uri="gs://elsewhere/model", artifact_class=Model, metadata={"said": text})
    metadata_of(model=imported.output)


@dsl.pipeline(name="named")
def named(text: str = "no text", count: int = 3):
    """Placeholders, text that only looks like one, and numbers in a text."""
    echo(value=f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER} {dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER}")
    echo(value=f"{dsl.PIPELINE_TASK_NAME_PLACEHOLDER} {text}")
    echo(value=f"{count} and {add(left=count).output}")


@dsl.pipeline(name="timed")
def timed():
    """Prints the run's scheduled time."""
    echo(value=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER)


@dsl.pipeline(name="surroundings")
def surroundings():
    report_environment()


@dsl.pipeline(name="fails-first")
def fails_first(path: str):
    """A failure, and a task that does not depend on it but comes after."""
    cleaning = clean_up(path=path)
    with dsl.ExitHandler(cleaning):
        fail(message="no")
        report_environment()


@dsl.pipeline(name="optional")
def optional(name: Optional[str] = None):  # noqa: UP045
    greet(name=name)


@dsl.pipeline(name="missing-program")
def missing_program(path: str):
    cleaning = clean_up(path=path)
    with dsl.ExitHandler(cleaning):
        no_such_program()


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def who_am_i() -> str:
    import google.auth
    from google.auth.transport.requests import Request

    credentials, _ = google.auth.default()
    credentials.refresh(Request())
    return credentials.service_account_email


@dsl.pipeline(name="whoami")
def whoami() -> None:
    who_am_i()
