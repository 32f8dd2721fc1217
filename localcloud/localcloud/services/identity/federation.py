"""`sts.googleapis.com`: exchanges a token of another issuer, for example GitHub's, for one of Google's.

Source: IAM, "Workload Identity Federation" and the reference of `v1.token`, 2026-11-30. The issuer's keys are those of
the provider's `oidc.jwksJson`; no issuer on the internet is asked for its keys.
"""

import ast
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localcloud.core.bearer import decode, token_claims
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields
from localcloud.core.permissions.policy_conditions import parse
from localcloud.services.iam.identity_pools import find_provider
from localcloud.services.identity.tokens import access_token_answer

_PREFIX = "//iam.googleapis.com/"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class _RefusedError(Exception):
    """An OAuth 2 error (RFC 6749, section 5.2): its code, and its description."""


async def exchange(request: Request) -> Response:
    """The access token of the federated identity that the subject token proves."""
    cloud: Cloud = request.app.state.cloud
    try:
        names = _names(cloud, _form(request.headers.get("content-type", ""), await request.body()))
    except _RefusedError as error:
        code, description = error.args
        return JSONResponse({"error": code, "error_description": description}, status_code=400)
    return JSONResponse({**access_token_answer(cloud, " ".join(names)), "issued_token_type": _ACCESS_TOKEN})


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The request's fields by their names in RFC 8693; google-github-actions/auth sends JSON in camel case."""
    if "json" not in content_type:
        return {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
    fields = json.loads(body)
    names = {"grant_type": "grantType", "audience": "audience", "subject_token": "subjectToken"}
    return {name: str(fields.get(given, "")) for name, given in names.items()}


def _names(cloud: Cloud, form: dict[str, str]) -> list[str]:
    """The names by which policies may refer to the identity, its own first. Raises _RefusedError."""
    audience, token = form.get("audience", ""), form.get("subject_token", "")
    if form.get("grant_type") != _EXCHANGE or not audience.startswith(_PREFIX):
        raise _RefusedError("invalid_request", f"Invalid value for audience or grant_type: {audience!r}.")
    name = audience.removeprefix(_PREFIX)
    provider = find_provider(cloud, name)
    if provider is None:
        raise _RefusedError("invalid_target", "The target service indicated by the audience parameters is invalid.")
    # By real time: the token's issuer is outside of this cloud, and its clock was not moved.
    claims = _verified(provider, token, datetime.now(UTC), name)
    mapped = {field: str(_value(rule, {"assertion": claims})) for field, rule in provider["attributeMapping"].items()}
    values = {"assertion": claims, "attribute": _attributes(mapped), "google": {"subject": mapped["google.subject"]}}
    condition = provider.get("attributeCondition", "")
    if condition and _value(condition, values) is not True:
        raise _RefusedError("unauthorized_client", "The given credential is rejected by the attribute condition.")
    pool, subject = cloud.canonical(name.partition("/providers/")[0]), mapped["google.subject"]
    if not subject or any(character.isspace() for character in subject):
        raise _RefusedError("invalid_grant", "The mapped google.subject is empty or has spaces.")
    named = [f"attribute.{field}/{value}" for field, value in values["attribute"].items() if " " not in value]
    sets = (f"principalSet:{_PREFIX}{pool}/{each}" for each in (*named, "*"))
    return [f"principal:{_PREFIX}{pool}/subject/{subject}", *sets]


def _verified(provider: Fields, token: str, now: datetime, name: str) -> dict[str, Any]:
    """The claims of an unexpired token that the provider's issuer signed for it. Raises _RefusedError."""
    claims, issuer = token_claims(token), provider["oidc"]["issuerUri"]
    if not _is_signed(provider["oidc"].get("jwksJson", ""), token):
        told = f"No key in the provider's jwksJson has signed the credential, and {issuer} is not asked for its own."
        raise _RefusedError("invalid_grant", told)
    if claims.get("iss") != issuer:
        raise _RefusedError("invalid_grant", f"The issuer in ID Token {claims.get('iss')} does not match {issuer}.")
    allowed = provider["oidc"].get("allowedAudiences") or [f"https:{_PREFIX}{name}", f"{_PREFIX}{name}"]
    if claims.get("aud") not in allowed:
        told = f"The audience in ID Token [{claims.get('aud')}] does not match the expected audience {allowed[0]}."
        raise _RefusedError("invalid_grant", told)
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= now.timestamp():
        raise _RefusedError("invalid_grant", "The ID Token has expired.")
    return claims


def _is_signed(keys: str, token: str) -> bool:
    """Whether an RSA key of the key set signed the token by RS256, as GitHub does."""
    signed, _, signature = token.rpartition(".")
    for key in json.loads(keys)["keys"] if keys else ():
        if key.get("kty") != "RSA":
            continue
        numbers = (int.from_bytes(decode(key[part])) for part in ("e", "n"))
        try:
            public = rsa.RSAPublicNumbers(*numbers).public_key()
            public.verify(decode(signature), signed.encode(), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def _attributes(mapped: dict[str, str]) -> dict[str, str]:
    prefix = "attribute."
    return {field.removeprefix(prefix): value for field, value in mapped.items() if field.startswith(prefix)}


def _value(expression: str, values: dict[str, dict[str, Any]]) -> Any:
    """Value of an expression in the part of CEL that GitHub's providers use. Raises _RefusedError for any other."""
    try:
        return _evaluate(parse(expression), values)
    except ValueError as error:
        raise _RefusedError("invalid_request", str(error)) from error


def _evaluate(node: ast.expr, values: dict[str, dict[str, Any]]) -> Any:
    match node:
        case ast.Constant(value=bool() | str() as value):
            return value
        case ast.Attribute(value=ast.Name(id=of), attr=name) if of in values:
            return values[of].get(name, "")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, values)
        case ast.BoolOp(op=joined, values=parts):
            found = [_evaluate(part, values) is True for part in parts]
            return all(found) if isinstance(joined, ast.And) else any(found)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as compares], comparators=[right]):
            same = _evaluate(left, values) == _evaluate(right, values)
            return same if isinstance(compares, ast.Eq) else not same
        case ast.Call(func=ast.Attribute(value=value, attr="startsWith"), args=[argument], keywords=[]):
            return str(_evaluate(value, values)).startswith(str(_evaluate(argument, values)))
    raise ValueError(f"the local cloud does not carry out `{ast.unparse(node)}` in a provider's condition or mapping")
