"""Redirects in the Hub's own words."""

from http import HTTPStatus

from starlette.responses import PlainTextResponse, Response


def redirect(status: int, location: str, headers: dict[str, str] | None = None) -> Response:
    """`Temporary Redirect. Redirecting to …`, as plain text, with the `Location`."""
    text = f"{HTTPStatus(status).phrase}. Redirecting to {location}"
    return PlainTextResponse(text, status, {**(headers or {}), "Location": location})
