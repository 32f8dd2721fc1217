"""The caller of each request: a member as IAM policies name it, `user:a@example.com` or `serviceAccount:robot@…`.

Every access token that the local cloud gives out carries its member (`core.bearer`). Each server sets the caller once,
where it checks the token; `core.permissions.decisions` asks for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OWNER = "user:owner@localcloud.example"
"""The person at the keyboard, with `roles/owner` on every project, whatever its policy says, so that a policy cannot
lock the person out."""

THE_CLOUD = "system:local-cloud"
"""Google itself: work that the daemon does on its own needs no permission."""

ANONYMOUS = ""
"""A call without credentials."""

_CALLER: ContextVar[str] = ContextVar("caller", default=THE_CLOUD)


def caller() -> str:
    """The member that makes the current call; `THE_CLOUD` outside of any call."""
    return _CALLER.get()


@contextmanager
def calling_as(member: str) -> Iterator[None]:
    """Calls inside the context are made by `member`."""
    token = _CALLER.set(member)
    try:
        yield
    finally:
        _CALLER.reset(token)


def member_of(account: str) -> str:
    """The member of an email address, or of a member itself."""
    if not account or ":" in account:
        return account
    kind = "serviceAccount" if account.endswith(".gserviceaccount.com") else "user"
    return f"{kind}:{account}"


def email_of(member: str) -> str:
    """The email address of a member: `robot@p.iam.gserviceaccount.com`."""
    kind, _, name = member.partition(":")
    return name if kind in ("user", "serviceAccount") else member
