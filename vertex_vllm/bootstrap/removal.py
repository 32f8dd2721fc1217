"""Deletes what bootstrap created, and nothing else."""

from urllib.parse import quote

from vertex_vllm.bootstrap.making import is_missing, revoke
from vertex_vllm.bootstrap.session import NotThereError, Session, look, send
from vertex_vllm.bootstrap.setup_steps import Grant, Request, Resource, SecretValue, ServiceAgent, Step, holds

_LISTS = ("items", "packages")


REMOVED, ABSENT = "removed", "absent"


def outlook(session: Session, step: Step, *, delete_data: bool = False) -> str:
    """The outcome that `remove` would have, by reading alone. Raises ServiceError."""
    match step:
        case Grant():
            return ABSENT if is_missing(session, step) else REMOVED
        case SecretValue() | ServiceAgent():  # one goes with its secret, the other is Google's
            return ABSENT
        case Resource():
            return _outlook_of_resource(session, step, delete_data)


def remove(session: Session, step: Step, *, delete_data: bool = False) -> str:
    """The outcome: "removed", "absent", or the reason why the resource remains.

    `delete_data`: buckets go with their objects, repositories with their artifacts. Raises ServiceError.
    """
    if isinstance(step, Grant):
        return REMOVED if revoke(session, step) else ABSENT
    outcome = outlook(session, step, delete_data=delete_data)
    if outcome != REMOVED or not isinstance(step, Resource) or step.remove is None:
        return outcome
    if step.contents is not None and step.kind == "bucket":
        _empty(session, step.contents)
    try:
        send(session, step.remove)
    except NotThereError:
        return ABSENT
    return REMOVED


def _outlook_of_resource(session: Session, resource: Resource, delete_data: bool) -> str:
    if resource.remove is None:
        return "left: others may need it"
    answer = look(session, resource.look)
    if answer is None or not holds(answer, resource.active):
        return ABSENT
    if not holds(answer, resource.mark):
        return "left: not made by bootstrap"
    if resource.contents is not None and not delete_data and _contents(session, resource.contents):
        return "left: holds data (--delete-data removes it too)"
    return REMOVED


def _contents(session: Session, request: Request) -> list[dict[str, str]]:
    """The first page of the contents of a bucket or repository."""
    answer = look(session, request) or {}
    return [found for name in _LISTS for found in answer.get(name, ())]


def _empty(session: Session, request: Request) -> None:
    """Deletes every generation of every object: lists the first page until it is empty."""
    objects = request.url.partition("?")[0]
    while found := _contents(session, request):
        for item in found:
            address = f"{objects}/{quote(item['name'], safe='')}?generation={item['generation']}"
            try:
                send(session, Request("DELETE", address))
            except NotThereError:
                continue
