"""Creates what is missing, one step after the other. No state is kept: the next run looks again."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vertex_vllm.bootstrap import api_requests, policies
from vertex_vllm.bootstrap.session import ConflictError, NotThereError, Session, ask, look, send, until_there
from vertex_vllm.bootstrap.setup_steps import Grant, PolicyPlace, Resource, SecretValue, ServiceAgent, Step, holds
from vertex_vllm.errors import InputError, ServiceError

# Attempts to write a policy that other writers change at the same time; more lost in a row have another cause.
_TRIES = 10


def project_number(session: Session, project: str) -> str:
    """The project's number from Service Usage, which answers before any API is enabled. Raises InputError where there
    is no such project."""
    try:
        answer = ask(session, api_requests.api(project, "iam.googleapis.com").look)
    except NotThereError as error:
        told = f"no such project, or this account may not see it: {error.message}"
        raise InputError(told, where=project, fix="Check --project.") from error
    return str(answer["parent"]).partition("/")[2]


def is_missing(session: Session, step: Step) -> bool:
    """Raises InputError where something else has the name, ServiceError when a service fails."""
    match step:
        case Resource():
            return _is_absent(step, look(session, step.look))
        case SecretValue():
            return not (look(session, step.look) or {}).get("versions")
        case Grant():
            return not policies.has(look(session, step.on.read) or {}, step.role, step.member, step.condition)
        case ServiceAgent():
            return is_missing(session, step.needed_by)


def make(session: Session, step: Step, secret_value: str = "") -> bool:
    """Creates the step's resource if it is missing; returns whether it was.

    Raises as `is_missing`, and InputError for a secret without `secret_value`.
    """
    match step:
        case Resource():
            return _make_resource(session, step)
        case SecretValue():
            return is_missing(session, step) and _add_version(session, step, secret_value)
        case Grant():
            return _change_policy(session, step, granted=True)
        case ServiceAgent():
            return is_missing(session, step) and bool(send(session, step.create))


def revoke(session: Session, grant: Grant) -> bool:
    """Returns whether the member had the role: False, too, for a resource that no longer exists."""
    try:
        return _change_policy(session, grant, granted=False)
    except NotThereError:
        return False


def _is_absent(resource: Resource, answer: Mapping[str, Any] | None) -> bool:
    if answer is None or not holds(answer, resource.active):
        return True
    if not holds(answer, resource.wanted):
        if resource.update and holds(answer, resource.mark):
            return True
        found = {name: answer.get(name) for name in resource.wanted}
        raise InputError(
            f"exists, but with {found} and not {dict(resource.wanted)}",
            where=f"{resource.kind} {resource.name}",
            fix="What exists is never changed: remove it, or choose another project or region.",
        )
    return False


def _make_resource(session: Session, resource: Resource) -> bool:
    answer = look(session, resource.look)
    if not _is_absent(resource, answer):
        return False
    if answer is not None and holds(answer, resource.active):
        assert resource.update is not None
        send(session, resource.update)
        return True
    revive = resource.revive if answer is not None else None
    try:
        send(session, revive or resource.create)
    except ConflictError as error:
        # Created after it was looked for, perhaps by a request of ours whose answer was lost; or not visible yet.
        if _is_absent(resource, until_there(lambda: ask(session, resource.look))):
            raise error.reworded(where=f"{resource.kind} {resource.name}") from error
    # An undeleted resource has its old settings; compare them with what is wanted.
    if revive and _is_absent(resource, look(session, resource.look)) and resource.update:
        send(session, resource.update)
    return True


def _add_version(session: Session, step: SecretValue, value: str) -> bool:
    if not value:
        raise InputError("no value", where=f"secret {step.secret}", fix="Give it on standard input.")
    payload = {"payload": {"data": base64.b64encode(value.encode()).decode()}}
    send(session, replace(step.create, body=payload))
    return True


def _change_policy(session: Session, grant: Grant, *, granted: bool) -> bool:
    """Read, modify, write with the policy's etag; repeated when another writer changed the policy meanwhile."""
    for _ in range(_TRIES):
        policy = until_there(lambda: send(session, grant.on.read)) if granted else send(session, grant.on.read)
        if policies.has(policy, grant.role, grant.member, grant.condition) == granted:
            return False
        change = policies.with_member if granted else policies.without_member
        try:
            _write(session, grant.on, change(policy, grant.role, grant.member, grant.condition))
        except ConflictError:
            continue
        return True
    raise ServiceError("somebody else keeps changing its policy", where=grant.on.resource, fix="Run this again.")


def _write(session: Session, place: PolicyPlace, policy: Mapping[str, Any]) -> None:
    send(session, replace(place.write, body=policy if place.bare else {"policy": policy}))
