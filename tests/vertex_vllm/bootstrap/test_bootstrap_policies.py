"""Policies with one member more or less, compared whole."""

from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.bootstrap.policies import has, with_member, without_member

CONDITION = {"title": "until noon", "expression": "request.time < timestamp('2030-01-01T12:00:00Z')"}


def test_a_member_joins_the_binding_of_its_role() -> None:
    policy = {"etag": "a", "bindings": [{"role": "roles/x", "members": ["user:a"]}]}
    assert with_member(policy, "roles/x", "user:b") == {
        "etag": "a",
        "version": 3,
        "bindings": [{"role": "roles/x", "members": ["user:a", "user:b"]}],
    }


def test_a_binding_with_a_condition_grants_something_else() -> None:
    conditional = {"role": "roles/x", "members": ["user:a"], "condition": CONDITION}
    policy = {"etag": "a", "bindings": [conditional]}
    assert not has(policy, "roles/x", "user:a")
    granted = with_member(policy, "roles/x", "user:a")
    assert granted["bindings"] == [conditional, {"role": "roles/x", "members": ["user:a"]}]
    assert without_member(granted, "roles/x", "user:a")["bindings"] == [conditional]


_MEMBERS = st.lists(st.sampled_from(["user:a", "user:b", "group:c"]), min_size=1, unique=True)
_BINDINGS = st.dictionaries(st.sampled_from(["roles/x", "roles/y"]), _MEMBERS).map(
    lambda roles: [{"role": role, "members": members} for role, members in roles.items()]
)


@given(_BINDINGS, st.sampled_from(["roles/x", "roles/y"]))
def test_granting_and_revoking_leaves_everybody_else_as_they_were(bindings: list[dict[str, object]], role: str) -> None:
    policy = {"etag": "a", "version": 3, "bindings": bindings}
    granted = with_member(policy, role, "user:new")
    assert has(granted, role, "user:new")
    assert without_member(granted, role, "user:new") == policy
