"""Headers and redirects of the Hub, which clients other than huggingface_hub read, too."""

import base64
import hashlib

import pytest
import requests
from hub_under_test import GOOD


@pytest.fixture(scope="module")
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_answers_in_json_have_a_weak_etag_of_their_content(hub, http):
    answer = http.get(f"{hub.url}/api/models/org/open")
    digest = base64.b64encode(hashlib.sha1(answer.content).digest()).decode().rstrip("=")

    assert answer.headers["etag"] == f'W/"{len(answer.content):x}-{digest}"'
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("path", "token", "window", "requests_in_it"),
    [
        ("/api/models/org/open", None, "api", 500),
        ("/api/models/org/open", GOOD, "api", 1000),
        ("/org/open/resolve/main/config.json", None, "resolvers", 3000),
        ("/org/open/resolve/main/config.json", GOOD, "resolvers", 5000),
    ],
)
def test_answers_tell_of_the_window_that_they_count_in(hub, http, path, token, window, requests_in_it):
    answer = http.get(hub.url + path, headers={"Authorization": f"Bearer {token}"} if token else {})

    assert answer.headers["ratelimit"] == f'"{window}";r={requests_in_it};t=300'
    assert answer.headers["ratelimit-policy"] == f'"fixed window";"{window}";q={requests_in_it};w=300'


def test_a_refusal_for_want_of_a_token_says_how_to_give_one(hub, http):
    answer = http.get(f"{hub.url}/api/models/org/absent")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Authentication required", charset="UTF-8"'
    assert "etag" not in answer.headers


def test_a_small_file_may_not_act_as_a_page(hub, http):
    answer = http.get(f"{hub.url}/org/open/resolve/main/config.json")

    assert answer.headers["content-security-policy"] == "default-src none; sandbox"
    assert answer.headers["vary"] == "Origin, Accept"


def test_a_large_file_s_redirect_says_where_to(hub, http):
    answer = http.get(f"{hub.url}/org/open/resolve/main/model.safetensors", allow_redirects=False)

    assert answer.text == f"Found. Redirecting to {answer.headers['location']}"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api/models/once-alone", "/api/models/keeper/once-alone"),
        ("/api/models/once-alone?blobs=true", "/api/models/keeper/once-alone?blobs=true"),
        ("/api/models/once-alone/tree/main", "/api/models/keeper/once-alone/tree/main"),
        ("/once-alone/resolve/main/a.txt", "/keeper/once-alone/resolve/main/a.txt"),
    ],
)
def test_a_model_without_an_owner_is_found_at_its_owner_s(hub, http, path, location):
    hub.add("keeper/once-alone", {"a.txt": "a"})
    answer = http.get(hub.url + path, allow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (307, location)
    assert answer.text == f"Temporary Redirect. Redirecting to {location}"


def test_a_short_name_leads_nowhere_private_or_ambiguous(hub, http):
    hub.add("one/twice-there", {"a.txt": "a"})
    hub.add("two/twice-there", {"a.txt": "a"})
    hub.add("one/secretly-there", {"a.txt": "a"}, private=True)
    for name in ("twice-there", "secretly-there", "not-there"):
        assert http.get(f"{hub.url}/api/models/{name}", allow_redirects=False).status_code == 401


def test_huggingface_hub_follows_a_short_name(hub):
    hub.add("keeper/followed", {"config.json": "{}"})
    assert hub.api().model_info("followed").id == "keeper/followed"
