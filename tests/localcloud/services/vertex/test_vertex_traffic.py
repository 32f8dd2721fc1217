import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.traffic import check_split, choose, split_after_deploy, split_after_undeploy


@pytest.mark.parametrize("split", [{}, {"1": 100}, {"1": 30, "2": 70}, {"1": 100, "2": 0}])
def test_legal_splits(split: dict[str, int]) -> None:
    check_split(split, {"1", "2"})


@pytest.mark.parametrize("split", [{"1": 99}, {"1": 101}, {"3": 100}, {"1": 150, "2": -50}, {"1": 60, "2": 60}])
def test_illegal_splits(split: dict[str, int]) -> None:
    with pytest.raises(ApiError) as refusal:
        check_split(split, {"1", "2"})
    assert refusal.value.code == "INVALID_ARGUMENT"


def test_a_new_deployed_model_takes_the_place_of_zero() -> None:
    assert split_after_deploy({}, {"0": 100}, "7", set()) == {"7": 100}
    assert split_after_deploy({"1": 100}, {"0": 20, "1": 80}, "7", {"1"}) == {"7": 20, "1": 80}
    assert split_after_deploy({"1": 100}, {"0": 100, "1": 0}, "7", {"1"}) == {"7": 100}


def test_without_a_request_a_deploy_leaves_the_split_alone() -> None:
    assert split_after_deploy({"1": 100}, {}, "7", {"1"}) == {"1": 100}
    assert split_after_deploy({}, {}, "7", set()) == {}


@pytest.mark.parametrize(
    ("current", "requested", "deployed", "expected"),
    [
        ({"1": 100}, {}, {"1"}, {}),
        ({"1": 100}, {"1": 100}, {"1"}, {}),
        ({"2": 100}, {}, {"1", "2"}, {"2": 100}),
        ({"1": 40, "2": 60}, {"2": 100}, {"1", "2"}, {"2": 100}),
        ({"1": 40, "2": 60}, {"1": 0, "2": 100}, {"1", "2"}, {"2": 100}),
    ],
)
def test_undeploying_1(
    current: dict[str, int], requested: dict[str, int], deployed: set[str], expected: dict[str, int]
) -> None:
    assert split_after_undeploy(current, requested, "1", deployed) == expected


@pytest.mark.parametrize(
    ("current", "requested", "code"),
    [
        ({"1": 40, "2": 60}, {}, "FAILED_PRECONDITION"),
        ({"1": 40, "2": 60}, {"1": 10, "2": 90}, "FAILED_PRECONDITION"),
        ({"1": 40, "2": 60}, {"2": 60}, "INVALID_ARGUMENT"),
    ],
)
def test_undeploying_1_while_it_has_traffic(current: dict[str, int], requested: dict[str, int], code: str) -> None:
    with pytest.raises(ApiError) as refusal:
        split_after_undeploy(current, requested, "1", {"1", "2"})
    assert refusal.value.code == code


@pytest.mark.parametrize(("point", "expected"), [(0.0, "1"), (0.29, "1"), (0.3, "2"), (0.999, "2")])
def test_choose(point: float, expected: str) -> None:
    assert choose({"2": 70, "1": 30, "3": 0}, point) == expected


@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_only_a_model_with_traffic_is_chosen(share: int, point: float) -> None:
    split = {"1": share, "2": 100 - share}
    assert split[choose(split, point)] > 0
