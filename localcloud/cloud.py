"""The cloud that every service is given: its state, its clock, its ids, its processes."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from localcloud import environment
from localcloud.bearer import BearerTokens
from localcloud.clock import Clock
from localcloud.errors import ApiError
from localcloud.ids import Ids
from localcloud.operations import Operations
from localcloud.ports import Ports
from localcloud.processes import Child, Processes
from localcloud.state import StateDirectory
from localcloud.store import Kind, Store

_PROJECT_IDS = Kind("project id by number", StringValue)


class Cloud:
    """One Google Cloud, with any number of projects, as one daemon holds it."""

    def __init__(
        self,
        state_dir: Path,
        *,
        project: str,
        region: str,
        ports: Ports,
        warm_modules: Sequence[str] = (),
    ) -> None:
        """`warm_modules`: modules that the process which pipelines' steps are forked from imports, besides kfp's."""
        self.state = StateDirectory(state_dir)
        self.project = project
        self.region = region
        self.ports = ports
        self.warm_modules = tuple(warm_modules)
        self.clock = Clock(self.state.clock)
        self.store = Store(self.state.store)
        # Apart from everything else: the one place where a secret's payload may lie on disk.
        self.secrets = Store(self.state.secrets, wiping=True)
        self.ids = Ids(self.state.seed(), lambda: self.store.next_number("ids"))
        self.operations = Operations(self.store, self.ids, self.clock)
        self.processes = Processes(self.state.children)
        self._tokens = BearerTokens(self.state.token)

    @property
    def state_dir(self) -> Path:
        return self.state.root

    @property
    def service_account(self) -> str:
        """The one that the metadata server speaks for: the default project's Compute Engine account."""
        return f"{self.project_number(self.project)}-compute@developer.gserviceaccount.com"

    def timestamp(self) -> Timestamp:
        """The clock's time as a protobuf message."""
        stamp = Timestamp()
        stamp.FromDatetime(self.clock().astimezone(UTC))
        return stamp

    def project_number(self, project: str) -> int:
        """Of a project id, always the same 12 digits; of a number, the number itself. Every project exists."""
        if project.isdigit():
            return int(project)
        number = _number_of(project)
        if self.store.get(_PROJECT_IDS, str(number)) is None:
            self.store.put(_PROJECT_IDS, str(number), StringValue(value=project))
        return number

    def project_id(self, project: str) -> str:
        """Of a number, the id that was first used with it (the number itself when none was); of an id, the id."""
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

    @property
    def access_token(self) -> str:
        """What the metadata server gives out."""
        return self._tokens.access_token

    def check_token(self, authorization: str) -> None:
        """Raises ApiError UNAUTHENTICATED unless `authorization` is `Bearer` and a token that this daemon takes."""
        # By real time: a client renews its token by its own clock, which nobody has moved.
        if not self._tokens.accepts(authorization, datetime.now(UTC)):
            raise ApiError(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
                "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )

    def environment(self) -> dict[str, str]:
        """The variables that bring any Google client here."""
        return environment.variables(self.state, self.ports, project=self.project, region=self.region)

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
        """Ends operations, then children; nothing can be started any more."""
        self.operations.close()
        self.processes.stop_all()

    def close(self) -> None:
        """Closes what is on disk."""
        self.store.close()
        self.secrets.close()


def _number_of(project_id: str) -> int:
    digest = hashlib.sha256(project_id.encode()).digest()
    return 10**11 + int.from_bytes(digest[:8]) % (9 * 10**11)
