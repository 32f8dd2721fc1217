"""Pipelines of Kubeflow's users about control: conditions, loops, exit handlers, pipelines within pipelines."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output, PipelineTaskFinalStatus

from tests.strangers.kubeflow_values import step


@step
def say(text: str) -> str:
    return text


@step
def echo_number(number: int) -> int:
    return number


@step
def show(value: list) -> str:
    return repr(value)


@step
def facts() -> NamedTuple("Facts", [("word", str), ("count", int), ("ratio", float), ("flag", bool)]):
    return ("its", 3, 0.5, True)


@dsl.pipeline(name="conditions")
def conditions():
    made = facts()
    with dsl.If(made.outputs["word"] == "its", name="word-is"):
        say(text="word")
        with dsl.If(made.outputs["count"] >= 3):
            say(text="count")
            with dsl.If(made.outputs["ratio"] < 0.6):
                say(text="ratio")
            with dsl.Else():
                say(text="no ratio")
    with dsl.If(made.outputs["flag"] == True):  # noqa: E712 - how a condition on a boolean is written
        say(text="flag")
    with dsl.Condition(made.outputs["count"] != made.outputs["count"]):
        say(text="never")


@step
def number_of(text: str, data: Output[Dataset]) -> int:
    with open(data.path, "w") as file:
        file.write(text)
    return len(text)


@step
def copy_of(data: Input[Dataset], copy: Output[Dataset]) -> None:
    with open(data.path) as read, open(copy.path, "w") as written:
        written.write(read.read())


@step
def text_of(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.pipeline(name="chosen")
def chosen(number: int) -> NamedTuple("Chosen", [("length", int), ("data", Dataset)]):
    with dsl.If(number == 1):
        one = number_of(text="1")
    with dsl.Elif(number == 2):
        with dsl.If(number == 2):
            two = number_of(text="22")
        with dsl.Else():
            none = number_of(text="")
        inner = dsl.OneOf(two.outputs["Output"], none.outputs["Output"])
        inner_data = dsl.OneOf(two.outputs["data"], none.outputs["data"])
        passed = echo_number(number=inner)
        copied = copy_of(data=inner_data)
    with dsl.Else():
        other = number_of(text="other")
    return NamedTuple("Chosen", [("length", int), ("data", Dataset)])(
        length=dsl.OneOf(one.outputs["Output"], passed.output, other.outputs["Output"]),
        data=dsl.OneOf(one.outputs["data"], copied.outputs["copy"], other.outputs["data"]),
    )


@dsl.pipeline(name="choices")
def choices():
    with dsl.ParallelFor([1, 2, 3]) as number:
        made = chosen(number=number)
        text_of(data=made.outputs["data"])
    show(value=dsl.Collected(made.outputs["length"]))


@step
def joined(outer: str, word: str) -> str:
    return outer + word


@step
def half(ratio: float) -> float:
    return ratio / 2


@step
def turn(flag: bool) -> bool:
    return not flag


@dsl.pipeline(name="loops")
def loops(words: list = ["a", "b/c", "ü"], flags: list = [True, False]):  # noqa: B006
    with dsl.ParallelFor(words, name="over-words") as word:
        said = say(text=word)
    show(value=dsl.Collected(said.output))
    with dsl.ParallelFor([0.5, 2.0], parallelism=2) as ratio:
        halved = half(ratio=ratio)
    show(value=dsl.Collected(halved.output))
    with dsl.ParallelFor(flags) as flag:
        turned = turn(flag=flag)
    show(value=dsl.Collected(turned.output))
    with dsl.ParallelFor(["x", "y"]) as outer, dsl.ParallelFor(words) as word:
        both = joined(outer=outer, word=word)
    show(value=dsl.Collected(both.output))


@dsl.pipeline(name="inner-loop")
def inner_loop(numbers: list) -> list:
    with dsl.ParallelFor(numbers) as number:
        one = echo_number(number=number)
    return dsl.Collected(one.output)


@dsl.pipeline(name="collected-outwards")
def collected_outwards() -> list:
    with dsl.ParallelFor([1, 2]) as number:
        made = echo_number(number=number)
    again = inner_loop(numbers=dsl.Collected(made.output))
    show(value=again.output)
    return again.output


@step
def told(status: PipelineTaskFinalStatus) -> str:
    name, error = status.pipeline_task_name, status.error_message or ""
    return repr(
        (status.state, name, status.error_code or 0, "of the inner" in error, bool(status.pipeline_job_resource_name))
    )


@step
def breaks(text: str) -> str:
    raise RuntimeError(text)


@dsl.pipeline(name="broken-inside")
def broken_inside(text: str = "of the inner") -> str:
    return breaks(text=text).output


@dsl.pipeline(name="exit-handlers")
def exit_handlers():
    with dsl.ExitHandler(told(), name="good"), dsl.ParallelFor([1, 2]) as number, dsl.If(number == 2):
        echo_number(number=number)
    with dsl.ExitHandler(told(), name="bad"):
        say(text=broken_inside().output)


@dsl.pipeline(name="cleaned-up")
def cleaned_up(text: str):
    with dsl.ExitHandler(say(text=f"{text} is over")):
        say(text=text)


@dsl.pipeline(name="nested")
def nested(word: str = "a"):
    first = cleaned_up(text="first")
    second = cleaned_up(text="second").after(first)
    with dsl.If(word == "a"):
        say(text="last").set_display_name("The last one").after(second)


@step
def later(path: str) -> int:
    import os

    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < 2:
        raise ConnectionError("not yet")
    return os.path.getsize(path)


@dsl.pipeline(name="inner-retry")
def inner_retry(path: str) -> int:
    return later(path=path).output


@dsl.pipeline(name="tried-again")
def tried_again(path: str):
    inner_retry(path=path).set_retry(num_retries=2, backoff_duration="0s", backoff_factor=1.0)
