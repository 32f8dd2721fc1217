"""The cloud that every handler receives: its state, clock, ids and processes."""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TypeVar, cast

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from localcloud.core import environment
from localcloud.core.additions import Additions
from localcloud.core.api_errors import ApiError
from localcloud.core.bearer import ADMINISTRATION, BearerTokens, bearer
from localcloud.core.callers import OWNER, email_of, member_of
from localcloud.core.clock import Clock
from localcloud.core.ids import Ids
from localcloud.core.long_running import Operations
from localcloud.core.ports import Ports
from localcloud.core.signed_tokens import signing_account
from localcloud.core.state_directory import StateDirectory
from localcloud.core.store import Kind, Store
from localcloud.process.processes import Child, Processes

# Between SIGTERM and SIGKILL, as Kubernetes has it. An assumption: Vertex AI's own is not documented.
_GRACE_SECONDS = 30.0

_PROJECT_IDS = Kind("project id by number", StringValue)


P = TypeVar("P", bound="Part")


class Part:
    """State in memory of one service in one cloud. `Cloud.part` creates it; parts of a registration are started."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud

    def start(self) -> None:
        """Called when every port answers: a part may start programs that call back."""

    def stop(self) -> None:
        """Stops the part, and returns when everything that it started has ended."""


class Cloud:
    """One Google Cloud, with any number of projects, as one daemon holds it."""

    def __init__(
        self,
        state_dir: Path,
        *,
        project: str,
        region: str,
        ports: Ports,
        additions: Additions | None = None,
        enforces_permissions: bool = True,
    ) -> None:
        """`enforces_permissions`: False allows every call that no posted denial forbids."""
        self.state = StateDirectory(state_dir)
        self.project = project
        self.region = region
        self.ports = ports
        self.additions = additions or Additions()
        self.enforces_permissions = enforces_permissions
        self.grace_seconds = _GRACE_SECONDS
        """Seconds between SIGTERM and SIGKILL, for pipeline jobs created from now on."""
        self.user = OWNER
        """The member whose credential `environment` has when no account is named."""
        self.clock = Clock(self.state.clock)
        self.store = Store(self.state.store)
        # A store of its own: the only place on disk for payloads of secrets.
        self.secrets = Store(self.state.secrets, wiping=True)
        self.ids = Ids(self.state.seed(), lambda: self.store.next_number("ids"))
        self.operations = Operations(self.store, self.ids, self.clock)
        self.processes = Processes(self.state.children)
        self._tokens = BearerTokens(self.state.token)
        self._parts: dict[type[Part], Part] = {}
        self._making_parts = threading.RLock()

    @property
    def state_dir(self) -> Path:
        return self.state.root

    @property
    def image_files(self) -> tuple[Path, ...]:
        """The files with programs for container images: the user's own, then those of additions."""
        return (self.state.images, *self.additions.images)

    def part(self, kind: type[P]) -> P:
        """The part of type `kind` of this cloud, created on first use."""
        with self._making_parts:
            if kind not in self._parts:
                self._parts[kind] = kind(self)
            return cast(P, self._parts[kind])

    def timestamp(self) -> Timestamp:
        """The clock's time as a protobuf message."""
        stamp = Timestamp()
        stamp.FromDatetime(self.clock().astimezone(UTC))
        return stamp

    def project_number(self, project: str) -> int:
        """The project's number: for an id always the same 12 digits; for a number itself. Every project exists."""
        if project.isdigit():
            return int(project)
        number = _number_of(project)
        if self.store.get(_PROJECT_IDS, str(number)) is None:
            self.store.put(_PROJECT_IDS, str(number), StringValue(value=project))
        return number

    def project_id(self, project: str) -> str:
        """The project's id: for a number the id first used with it, or the number itself; for an id itself."""
        if not project.isdigit():
            self.project_number(project)
            return project
        known = self.store.get(_PROJECT_IDS, project)
        return known.value if known else project

    def knows_project(self, project: str) -> bool:
        """Whether any call has used this id or number; the cloud's own project counts as used."""
        if project.isdigit():
            return self.store.get(_PROJECT_IDS, project) is not None
        return project == self.project or self.store.get(_PROJECT_IDS, str(_number_of(project))) is not None

    def canonical(self, name: str) -> str:
        """A resource name or parent with the project's number in the place of its id, as the services answer it.

        `projects/my-project/locations/us-central1` → `projects/123456789012/locations/us-central1`.
        """
        collection, _, rest = name.partition("/")
        project, slash, remainder = rest.partition("/")
        if collection != "projects" or not project:
            return name
        return f"projects/{self.project_number(project)}{slash}{remainder}"

    def token_of(self, member: str) -> str:
        """The access token of `member`."""
        return self._tokens.token_of(member)

    def refresh_token_of(self, member: str) -> str:
        """The refresh token in a login of `member`, which its clients exchange for access tokens."""
        return self._tokens.refresh_token_of(member)

    def refreshed_member(self, refresh_token: str) -> str | None:
        """The member of the refresh token; None for a token that this cloud did not issue."""
        return self._tokens.refreshed_member(refresh_token)

    def key(self, purpose: str = ADMINISTRATION) -> str:
        """The state folder's key for requests that no Google credential covers."""
        return self._tokens.key(purpose)

    def switch_user(self, member: str) -> None:
        """From now on the credential of `environment()` is that of `member`."""
        self.user = member
        self.write_token(self.state.access_token, member)

    def write_token(self, file: Path, member: str) -> None:
        """Writes an access token into a file, from which gcloud reads it."""
        file.parent.mkdir(exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.write_text(self.token_of(member))

    def check_token(self, authorization: str) -> str:
        """The member that calls. `authorization`: an HTTP header, or gRPC's metadata of that name.

        Raises ApiError UNAUTHENTICATED unless it is `Bearer` with a token that this daemon issued, or that a service
        account's key has signed for itself (AIP-4111).
        """
        member = self._tokens.member_of(authorization)
        if member is not None:
            return member
        if account := signing_account(self.store, bearer(authorization)):
            return member_of(account)
        raise ApiError(
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
            "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )

    def environment(self, member: str = "") -> dict[str, str]:
        """The variables that bring any Google client here, with the credential of `member`, or of the current user."""
        if not member:
            return environment.variables(self.state, self.ports, project=self.project, region=self.region)
        account = email_of(member)
        token_file = self.state.access_tokens / account
        self.write_token(token_file, member)
        return environment.variables(
            self.state, self.ports, project=self.project, region=self.region, account=account, token_file=token_file
        )

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        on_exit: Callable[[int], None] | None = None,
    ) -> Child:
        """`Processes.spawn` with the variables that reach this cloud; `environment` is added to the daemon's own."""
        merged = {**os.environ, **self.environment(), **(environment or {})}
        return self.processes.spawn(argv, log=log, environment=merged, on_exit=on_exit)

    def end_work(self) -> None:
        """Ends operations, then child processes; later starts are refused."""
        self.operations.close()
        self.processes.stop_all()

    def close(self) -> None:
        """Closes the stores."""
        self.store.close()
        self.secrets.close()


def _number_of(project_id: str) -> int:
    digest = hashlib.sha256(project_id.encode()).digest()
    return 10**11 + int.from_bytes(digest[:8]) % (9 * 10**11)
