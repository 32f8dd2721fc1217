"""The local cloud has one user: other users of the machine, and pages in a browser, get nothing from any port."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from localcloud import daemon
from localcloud.core.state_directory import StateDirectory
from localcloud.daemon import Connection, DaemonError
from tests.accounts import make_account

# Headers that a browser sends with the request of a page: by DNS rebinding, across origins, from a picture.
PAGES = (
    {"host": "evil.example"},
    {"host": "evil.example:80", "origin": "http://evil.example"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


def ports(cloud: Connection) -> dict[str, str]:
    """Address of each server that speaks HTTP, by its name."""
    variables = cloud.environment
    return {
        "admin": cloud.admin_url,
        "storage": variables["API_ENDPOINT_OVERRIDE"],
        "hub": variables["HF_ENDPOINT"],
        "metadata": f"http://{variables['GCE_METADATA_HOST'].partition('/')[0]}",
        "api": f"http://127.0.0.1:{json.loads((cloud.state_dir / 'ports.json').read_text())['api']}",
    }


PATHS = {
    "admin": "/_local/status",
    "storage": "/storage/v1/b?project=local-project",
    "hub": "/api/models/some/model",
    "metadata": "/computeMetadata/v1/instance/service-accounts/default/token",
    "api": "/token",
}


def ask(cloud: Connection, server: str, path: str, *, verb: str = "GET", **options: object) -> httpx.Response:
    return httpx.request(verb, ports(cloud)[server] + path, trust_env=False, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: ", ".join(f"{name} {value}" for name, value in page.items()))
@pytest.mark.parametrize("server", PATHS)
def test_no_page_of_a_browser_is_answered(cloud: Connection, server: str, page: dict[str, str]) -> None:
    headers = {"metadata-flavor": "Google", "authorization": f"Bearer {cloud.admin_key}"}
    host = {"host": "oauth2.googleapis.com"} if server == "api" else {}
    answer = ask(cloud, server, PATHS[server], headers={**headers, **host, **page})
    assert answer.status_code in (403, 404)
    assert "access_token" not in answer.text


@pytest.mark.parametrize("server", ["storage", "hub", "admin"])
def test_an_origin_of_its_own_and_every_loopback_name_are_answered(cloud: Connection, server: str) -> None:
    port = urlsplit(ports(cloud)[server]).port
    for name in ("127.0.0.1", "localhost", "[::1]"):
        headers = {"host": f"{name}:{port}", "origin": f"http://{name}:{port}", "sec-fetch-site": "same-origin"}
        answer = ask(cloud, server, PATHS[server], headers={"authorization": f"Bearer {cloud.admin_key}", **headers})
        assert "does not answer" not in answer.text


def test_administration_lets_in_processes_of_its_own_user(cloud: Connection) -> None:
    assert ask(cloud, "admin", "/_local/status").json()["pid"] == cloud.pid


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic x", "Bearer é"])
@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("POST", "/kfp/apis/v2beta1/experiments", {"display_name": "x"}),
        ("POST", "/kfp/x/apis/v2beta1/runs", {"pipeline_spec": {}}),
        ("GET", "/kfp", None),
    ],
)
def test_kubeflow_needs_the_state_folders_key(
    cloud: Connection, verb: str, path: str, body: object, authorization: str
) -> None:
    headers = {"authorization": authorization.encode(), "content-type": "text/plain"}
    answer = ask(cloud, "admin", path, verb=verb, headers=headers, content=json.dumps(body))  # type: ignore[dict-item]
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_kubeflow_takes_the_key_as_a_token_and_in_its_address(cloud: Connection) -> None:
    path = "/apis/v2beta1/experiments"
    by_token = ask(cloud, "admin", f"/kfp{path}", headers={"authorization": f"Bearer {cloud.admin_key}"})
    by_address = httpx.get(cloud.environment["KF_PIPELINES_ENDPOINT"] + path, trust_env=False)
    assert (by_token.status_code, by_address.status_code) == (200, 200)
    assert by_token.json() == by_address.json()


def test_the_metadata_server_speaks_to_those_who_know_its_address(cloud: Connection) -> None:
    flavor = {"metadata-flavor": "Google"}
    for path in (PATHS["metadata"], f"/as/a@b.example{PATHS['metadata']}", f"/x{PATHS['metadata']}", "/"):
        answer = ask(cloud, "metadata", path, headers=flavor)
        assert (answer.status_code, answer.headers["metadata-flavor"]) == (403, "Google")
    address = f"http://{cloud.environment['GCE_METADATA_HOST']}{PATHS['metadata']}"
    assert httpx.get(address, headers=flavor, trust_env=False).json()["access_token"].startswith("ya29.")


def test_the_address_of_one_account_does_not_open_anothers(cloud: Connection, project: str) -> None:
    one, other = (make_account(project, name) for name in ("one-robot", "other-robot"))
    address = f"http://{cloud.environment_of(one)['GCE_METADATA_HOST']}{PATHS['metadata']}"
    assert httpx.get(address, headers={"metadata-flavor": "Google"}, trust_env=False).status_code == 200
    moved = address.replace(f"/as/{one}/", f"/as/{other}/")
    assert httpx.get(moved, headers={"metadata-flavor": "Google"}, trust_env=False).status_code == 403


def signed(email: str, key: rsa.RSAPrivateKey, key_id: str, **claims: object) -> str:
    now = int(time.time())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    content = {"iss": email, "sub": email, "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + 600}
    token: bytes = jwt.encode(crypt.RSASigner.from_string(pem, key_id), {**content, **claims})
    return token.decode()


def test_only_keys_that_the_cloud_knows_sign_tokens(cloud: Connection, project: str) -> None:
    email = make_account(project, "some-robot")
    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    unsigned = signed(email, mine, "k").rpartition(".")[0] + "."
    for forged in (signed(email, mine, "k"), unsigned, signed(email, mine, "")):
        host = {"host": "cloudresourcemanager.googleapis.com", "authorization": f"Bearer {forged}"}
        assert ask(cloud, "api", f"/v3/projects/{project}", headers=host).status_code == 401
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": forged}
        answer = ask(cloud, "api", "/token", verb="POST", headers={"host": "oauth2.googleapis.com"}, data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("token", ["", "x", "1//local-", "1//local-dXNlcjpvd25lckBsb2NhbGNsb3VkLmV4YW1wbGU-0000"])
def test_a_login_that_the_cloud_did_not_give_out_is_its_users(cloud: Connection, token: str) -> None:
    """A person's credential, as `gcloud auth application-default login` stores it."""
    form = {"grant_type": "refresh_token", "client_id": "x", "client_secret": "x", "refresh_token": token}
    answer = ask(cloud, "api", "/token", verb="POST", headers={"host": "oauth2.googleapis.com"}, data=form)
    assert answer.json()["access_token"] == cloud.access_token("")


def test_a_state_folder_is_its_owners_also_when_it_existed(tmp_path: Path) -> None:
    for folder in (tmp_path / "state", tmp_path / "state" / "hub", tmp_path / "state" / "run"):
        folder.mkdir(mode=0o755)
    state = StateDirectory(tmp_path / "state")
    state.create()
    for made in (state.root, state.hub, state.run, state.logs, state.storage, state.authority, state.gcloud):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("planted", ["", "images.yaml", "token", "ca", "hub", "run/ready.json"])
def test_a_state_folder_that_another_user_prepared_is_refused(tmp_path: Path, planted: str) -> None:
    """images.yaml names programs that run as the user of the local cloud."""
    path = tmp_path / "state" / planted
    if path.suffix or planted == "token":
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    else:
        path.mkdir(parents=True)
    os.chown(path, 65534, 65534)
    with pytest.raises(DaemonError, match=f"{path} belongs to another user, uid 65534"):
        daemon.up(tmp_path / "state")


@pytest.mark.parametrize("planted", ["hub", "storage", "run", "secrets.db", "images.yaml"])
def test_a_state_folder_does_not_lead_elsewhere(tmp_path: Path, planted: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state" / planted).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DaemonError, match=f"{planted} is a symbolic link"):
        daemon.up(tmp_path / "state")


def test_what_holds_keys_is_readable_by_its_owner_alone(cloud: Connection) -> None:
    state = StateDirectory(cloud.state_dir)
    for file in (state.ready, state.token, state.access_token):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


_STRANGER = """
import encodings.idna, encodings.latin_1, email.parser, http.client, json, os, sys
from pathlib import Path
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
state, admin, hub, metadata, api, proxy = sys.argv[1:]
got = []
def ask(address, verb, path, body=None, **headers):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(verb, path, body, headers)
    answer = connection.getresponse()
    got.append(f"{answer.status} {answer.read(200)!r}")
for name in ("token", "secrets.db", "run/ready.json", "run/access-token", "ca/key.pem", "seed"):
    try:
        got.append((Path(state) / name).read_text())
    except OSError:
        pass
ask(admin, "GET", "/_local/status")
ask(admin, "GET", "/_local/credentials", Authorization="Bearer x")
ask(admin, "PUT", "/_local/faults", "{}")
ask(admin, "PUT", "/_local/hub/repos", json.dumps({"id": "evil/loot", "path": "/root", "gated": False}))
ask(hub, "GET", "/evil/loot/resolve/main/secret")
ask(admin, "POST", "/kfp/apis/v2beta1/experiments", "{}")
form = "grant_type=refresh_token&client_id=x&client_secret=x&refresh_token=x"
ask(api, "POST", "/token", form, Host="oauth2.googleapis.com")
ask(proxy, "CONNECT", "oauth2.googleapis.com:443")
ask(metadata, "GET", "/computeMetadata/v1/instance/service-accounts/default/token", **{"Metadata-Flavor": "Google"})
print(json.dumps(got))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
def test_another_user_of_the_machine_gets_nothing(cloud: Connection, tmp_path: Path) -> None:
    addresses = [ports(cloud)[name].removeprefix("http://") for name in ("admin", "hub", "metadata", "api")]
    addresses.append(cloud.environment["HTTPS_PROXY"].removeprefix("http://"))
    done = subprocess.run(
        [sys.executable, "-I", "-c", _STRANGER, str(cloud.state_dir), *addresses],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    got = json.loads(done.stdout)
    assert [answer.partition(" ")[0] for answer in got] == [
        "401",
        "401",
        "401",
        "401",
        "401",
        "401",
        "400",
        "403",
        "403",
    ]
