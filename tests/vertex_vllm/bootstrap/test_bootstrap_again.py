"""Bootstrap of a project that an earlier bootstrap or somebody else has prepared, long ago or just before."""

from dataclasses import replace

import pytest

from localcloud.daemon import Connection
from tests.vertex_vllm.bootstrap.test_bootstrap_command import made, session, settings
from vertex_vllm.bootstrap.making import is_missing, make, project_number
from vertex_vllm.bootstrap.required_setup import Settings, wanted
from vertex_vllm.bootstrap.session import Session, send
from vertex_vllm.bootstrap.setup_steps import Grant, Resource
from vertex_vllm.errors import InputError

__all__ = ["session", "settings"]  # fixtures


def test_a_provider_of_an_earlier_bootstrap_is_brought_up_to_date(session: Session, settings: Settings) -> None:
    steps = wanted(settings)
    made(session, steps)
    provider = next(step for step in steps if step.kind == "identity provider")
    assert isinstance(provider, Resource)
    assert provider.update is not None
    by_name = {"attributeCondition": "assertion.repository == 'team/repo'"}
    send(session, replace(provider.update, body={**(provider.update.body or {}), **by_name}))
    assert is_missing(session, provider)
    assert make(session, provider)
    assert not is_missing(session, provider)


def test_a_role_of_an_earlier_bootstrap_is_brought_up_to_date(session: Session, settings: Settings) -> None:
    role = next(step for step in wanted(settings) if step.kind == "custom role")
    assert isinstance(role, Resource)
    make(session, role)
    assert role.update is not None
    send(session, replace(role.update, body={"includedPermissions": ["aiplatform.models.get"]}))
    assert make(session, role)
    assert not is_missing(session, role)
    assert not make(session, role)


def test_somebody_else_s_role_of_that_name_is_not_changed(session: Session, settings: Settings) -> None:
    role = next(step for step in wanted(settings) if step.kind == "custom role")
    assert isinstance(role, Resource)
    theirs = {"roleId": role.name, "role": {"title": "theirs", "includedPermissions": ["aiplatform.models.get"]}}
    send(session, replace(role.create, body=theirs))
    with pytest.raises(InputError, match="exists, but with"):
        make(session, role)


def test_an_account_that_was_just_made_is_waited_for(session: Session, settings: Settings, faulty: Connection) -> None:
    steps = wanted(settings)
    grant = next(step for step in steps if isinstance(step, Grant) and step.on.resource.startswith("service account"))
    made(session, steps[: steps.index(grant)])
    faulty.add_fault(
        service="iam", method="POST", path="*:getIamPolicy", kind="error", status=404, message="Unknown", times=2
    )
    assert make(session, grant)
    assert not is_missing(session, grant)


def test_an_api_that_is_disabled_where_calls_are_charged_is_told_in_its_words(
    session: Session, project: str, faulty: Connection
) -> None:
    words = "Service Usage API has not been used in project 42 before or it is disabled (SERVICE_DISABLED)"
    faulty.add_fault(service="service-usage", method="GET", kind="error", status=403, message=words, times=None)
    with pytest.raises(InputError, match="has not been used in project 42"):
        project_number(session, project)


def test_an_account_that_somebody_deleted_is_made_again_and_granted_anew(session: Session, settings: Settings) -> None:
    steps = wanted(settings)
    made(session, steps)
    account = next(step for step in steps if isinstance(step, Resource) and step.kind == "service account")
    assert account.remove is not None
    send(session, account.remove)
    lost = [step for step in steps if is_missing(session, step)]
    assert lost[0] == account
    assert any(isinstance(step, Grant) for step in lost)
    made(session, steps)
    assert not any(is_missing(session, step) for step in steps)
