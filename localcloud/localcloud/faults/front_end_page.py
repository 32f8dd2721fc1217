"""Google's front end, which every request passes first: its own answers are HTML."""

from http import HTTPStatus

from starlette.responses import HTMLResponse, Response

_PAGE = """<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <title>Error {status} ({phrase})!!1</title>
  <p><b>{status}.</b> <ins>That’s an error.</ins>
  <p>{message}  <ins>That’s all we know.</ins>
"""
_TEMPORARY = (
    "The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds."
)
_MESSAGES = {408: "Your client has taken too long to issue its request.", 502: _TEMPORARY, 504: _TEMPORARY}


def error_page(status: int) -> Response:
    """The page of the front end, for statuses that no service answers itself."""
    phrase = "Server Error" if status >= 500 else HTTPStatus(status).phrase
    return HTMLResponse(_PAGE.format(status=status, phrase=phrase, message=_MESSAGES[status]), status)
