import hashlib
from collections.abc import Iterator

import huggingface_hub
import pytest
import requests
from hub_under_test import GOOD, MODEL, STRANGER, Clock, LocalHub

from localcloud.services.hub import add_token, create_app


@pytest.fixture(scope="module", autouse=True)
def plain_client() -> Iterator[None]:
    """The client without the settings of a whole local cloud: it keeps one connection pool for the process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "HF_TOKEN"):
            patch.delenv(name, raising=False)
        huggingface_hub.close_session()
        yield
        huggingface_hub.close_session()


@pytest.fixture(scope="session")
def hub(serve, tmp_path_factory) -> Iterator[LocalHub]:
    directory = tmp_path_factory.mktemp("hub")
    clock = Clock()
    app = create_app(directory / "data", clock)
    with serve(app) as url:
        hub = LocalHub(directory / "data", url, clock, app, directory / "repos")
        hub.add("org/open", MODEL)
        hub.add("org/gated", MODEL, gated=True)
        hub.add("org/private", MODEL, private=True)
        for token, user, granted in ((GOOD, "alice", ["org/gated", "org/private"]), (STRANGER, "bob", [])):
            add_token(hub.data_dir, hashlib.sha256(token.encode()).hexdigest(), user, granted)
        yield hub


@pytest.fixture(scope="session")
def http() -> Iterator[requests.Session]:
    """Raw requests, for those that the client library never sends."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
