"""Checks of single fields that a pattern cannot express. Each returns its value, or raises what pydantic reports."""

import re
from datetime import datetime

from pydantic_core import PydanticCustomError

from vertex_vllm.config import expiry, shapes
from vertex_vllm.config.cron import cron_fault, is_time_zone
from vertex_vllm.errors import InputError


def is_no_token(secret: str) -> str:
    if re.fullmatch(shapes.HF_TOKEN, secret):
        raise PydanticCustomError(
            "looks_like_token",
            "looks like a token itself. Put it into Secret Manager and name the secret; revoke it if others saw it",
        )
    return secret


def holds_no_token(argument: str) -> str:
    if re.search(shapes.HF_TOKEN_WITHIN, argument):
        raise PydanticCustomError(
            "holds_token",
            "holds what looks like a token, and everybody who sees the Model reads its arguments. Serving needs none",
        )
    return argument


def is_cron(cron: str) -> str:
    if fault := cron_fault(cron):
        raise PydanticCustomError("cron", "{fault}", {"fault": fault})
    return cron


def is_known_time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise PydanticCustomError(
            "time_zone", "must be a name of the IANA time zone database, for example Europe/Zurich"
        )
    return name


def is_moment(text: str) -> str:
    try:
        aware = not text or datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise PydanticCustomError(
            "moment", 'must be a time with its offset, in quotes, for example "2030-01-31T08:00:00Z"'
        )
    return text


def is_lifetime(ttl: str) -> str:
    try:
        expiry.lifetime(ttl)
    except InputError:
        raise PydanticCustomError("ttl", "must be {meaning}", {"meaning": expiry.MEANING}) from None
    return ttl
