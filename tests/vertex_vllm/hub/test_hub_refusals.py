"""Refusals of the Hub: read into one value, shown in its own words, with advice only if the reason is known."""

import pytest

from vertex_vllm.errors import (
    HubAccessError,
    LicenseNotAcceptedError,
    ServiceError,
    TokenInvalidError,
    TokenMissingError,
)
from vertex_vllm.hub.refusals import HubWords, hub_words, refusal

TOKEN = "hf_canaryCanaryCanary"
DISABLED = "Access to this resource is disabled."
SSO = "You must use SSO to access this organization's resources"
BLOCKED = "Your IP address has been blocked due to unusual traffic"
REJECTED = "Your request to access model a/b has been rejected by the repo's authors."
PENDING = "Your request to access model a/b is awaiting a review from the repo authors."
FINE_GRAINED = "Access to model a/b is restricted: your fine-grained token lacks the permission"


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "no"}, b"", HubWords(403, "GatedRepo", "no")),
        (403, {"x-error-message": DISABLED}, b'{"error": "other"}', HubWords(403, "", DISABLED)),
        (403, {}, b'{"error": "from the body"}', HubWords(403, "", "from the body")),
        (403, {}, b'{"error": {"message": "deep"}}', HubWords(403, "", "deep")),
        (400, {}, b'{"message": "a message"}', HubWords(400, "", "a message")),
        (403, {"Content-Type": "text/plain"}, b"plain\n\x1b[31mwords", HubWords(403, "", "plain [31mwords")),
        (403, {}, b"<html><title>Blocked\nhere</title><body>x</body>", HubWords(403, "", "Blocked here")),
        (403, {}, b"<html><body>x</body>", HubWords(403)),
        (403, {}, b'{"error": 7}', HubWords(403)),
        (403, {}, b"[" * 100_000, HubWords(403)),
        (500, {}, b"\xff\xfe", HubWords(500, "", "\ufffd\ufffd")),
        (404, {}, b"", HubWords(404)),
        (404, {}, b'{"error": "<html><title>Not here</title></html>"}', HubWords(404, "", "Not here")),
        (403, {}, b'{"errors": ["first", {"message": "second"}]}', HubWords(403, "", "first")),
        (403, {}, b'{"detail": [{"msg": "a field"}]}', HubWords(403, "", "a field")),
    ],
)
def test_what_the_hub_says(status: int, headers: dict[str, str], body: bytes, said: HubWords) -> None:
    assert hub_words(status, headers, body) == said


def test_endless_words_are_cut() -> None:
    assert len(hub_words(403, {"X-Error-Message": "x" * 10_000}).message) < 500


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("message", [DISABLED, SSO, BLOCKED, "Some reason of next year", ""])
def test_what_is_not_about_the_token_is_not_blamed_on_it(message: str, token: str | None) -> None:
    error = refusal(HubWords(403, "", message), token=token, model_id="a/b")
    assert type(error) is HubAccessError
    assert error.message == f"the Hugging Face Hub refuses with status 403{f': {message}' if message else ''}" + (
        "" if message else " and gives no reason"
    )
    assert "settings/tokens" not in error.fix
    assert "hf_token_secret" not in error.fix


@pytest.mark.parametrize(
    ("said", "token", "kind", "words"),
    [
        (HubWords(403, "GatedRepo", FINE_GRAINED), TOKEN, TokenInvalidError, "Read access to contents"),
        (HubWords(403, "", "Forbidden: pass a token with the rights"), TOKEN, TokenInvalidError, "settings/tokens"),
        (HubWords(403, "GatedRepo", "restricted"), TOKEN, LicenseNotAcceptedError, "Accept the licence"),
        (HubWords(401, "GatedRepo", "restricted"), None, TokenMissingError, "Accept the licence"),
        (HubWords(401, "", "Invalid username or password."), None, TokenMissingError, "hf_token_secret"),
        (HubWords(401, "", "token expired"), TOKEN, TokenInvalidError, "token expired"),
        (HubWords(401, "", SSO), TOKEN, HubAccessError, "single sign-on"),
        (HubWords(451, "", "Unavailable for legal reasons"), TOKEN, HubAccessError, "legal reasons"),
        (HubWords(500, "", "Internal Error"), TOKEN, ServiceError, "status 500: Internal Error"),
        (HubWords(403, "GatedRepo", REJECTED), TOKEN, LicenseNotAcceptedError, "its owners have refused this account"),
        (HubWords(403, "GatedRepo", PENDING), TOKEN, LicenseNotAcceptedError, "its owners have not answered yet"),
        (HubWords(403, "GatedRepo", SSO), TOKEN, HubAccessError, "single sign-on"),
        (HubWords(403, "GatedRepo", DISABLED), TOKEN, HubAccessError, "Choose another repository"),
        (HubWords(401, "", BLOCKED), None, HubAccessError, "from another address"),
        (HubWords(401, "", BLOCKED), TOKEN, HubAccessError, "from another address"),
        (HubWords(403, "", "Please confirm your email address"), TOKEN, HubAccessError, "Sign in at"),
        (HubWords(403, "", "Your account has been blocked"), TOKEN, HubAccessError, "Sign in at"),
        (HubWords(402, "", "Payment required: no credits left"), TOKEN, HubAccessError, "Sign in at"),
        (HubWords(403, "", "flagged by our malware scanner"), TOKEN, HubAccessError, "Choose another repository"),
        (HubWords(410, "", "This model was removed"), TOKEN, HubAccessError, "Choose another repository"),
        (HubWords(400, "", "Invalid rev id: main"), None, HubAccessError, "Invalid rev id"),
        (HubWords(404, "", ""), None, HubAccessError, "HF_ENDPOINT"),
        (HubWords(429, "", "Too many requests"), None, ServiceError, "Too many requests"),
    ],
)
def test_advice_follows_the_reason(said: HubWords, token: str | None, kind: type[Exception], words: str) -> None:
    error = refusal(said, token=token, model_id="a/b")
    assert type(error) is kind
    assert words in str(error)
    assert TOKEN not in repr(error)


def test_a_token_of_the_environment_is_not_called_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = HubWords(401, "", "Invalid credentials in Authorization header")
    assert refusal(unknown, token=TOKEN, model_id="a/b").where == "hf_token_secret"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert refusal(unknown, token=TOKEN, model_id="a/b").where == "HF_TOKEN"
