import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.services.pipelines.conditions import holds

NAME = "inputs.parameter_values['pipelinechannel--check-chat']"
COUNT = "inputs.parameter_values['pipelinechannel--count']"


@pytest.mark.parametrize(
    ("condition", "parameters", "expected"),
    [
        (f"{NAME} == 'yes'", {"pipelinechannel--check-chat": "yes"}, True),
        (f"{NAME} == 'yes'", {"pipelinechannel--check-chat": "it's"}, False),
        (f"{NAME} == 'a && !b || true'", {"pipelinechannel--check-chat": "a && !b || true"}, True),
        (f"{NAME} == true", {"pipelinechannel--check-chat": True}, True),
        (f"!({NAME} == true)", {"pipelinechannel--check-chat": True}, False),
        (f"{NAME} != ''", {"pipelinechannel--check-chat": ""}, False),
        (f"int({COUNT}) > -3", {"pipelinechannel--count": 4.0}, True),
        (f"double(int({COUNT})) <= 3.5", {"pipelinechannel--count": 4}, False),
        (
            f"!({NAME} == 'a') && !({NAME} == 'b') && int({COUNT}) == 1",
            {"pipelinechannel--check-chat": "c", "pipelinechannel--count": 1.0},
            True,
        ),
    ],
)
def test_a_condition_of_the_compiler(condition: str, parameters: dict, expected: bool) -> None:
    assert holds(condition, parameters) is expected


@given(text=st.text(), other=st.text())
def test_no_text_of_a_parameter_changes_what_is_asked(text: str, other: str) -> None:
    condition = "inputs.parameter_values['a'] == inputs.parameter_values['b']"
    assert holds(condition, {"a": text, "b": other}) is (text == other)


@pytest.mark.parametrize(
    "condition",
    [
        "inputs.parameter_values['absent'] == 1",
        "inputs.parameter_values['a'] ==",
        "__import__('os').getcwd() == inputs.parameter_values['a']",
        "inputs.parameter_values['a'].size() > 1",
    ],
)
def test_what_cannot_be_understood_is_an_error_and_no_skipped_branch(condition: str) -> None:
    with pytest.raises(ValueError, match="condition"):
        holds(condition, {"a": "x"})
