"""HTTP to a deployed model's container: unbuffered, with a time limit, and closed if the caller disconnects."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.predictions import container_error
from localcloud.services.vertex.targets import Target, took_too_long

# The container must not compress: bytes are passed on unchanged.
_IDENTITY = {"accept-encoding": "identity"}


async def open_answer(
    target: Target, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
) -> httpx.Response:
    """The container's answer, as soon as it begins; to be closed by `close_answer`. Raises ApiError UNAVAILABLE."""
    # One client per call: connections to this machine are cheap, and none remains when the container ends.
    client = httpx.AsyncClient(trust_env=False, verify=False, timeout=target.timeout_seconds)
    request = client.build_request(method, f"{target.address}{path}", content=body, headers={**headers, **_IDENTITY})
    request.extensions["client"] = client
    try:
        async with asyncio.timeout(target.timeout_seconds):
            return await client.send(request, stream=True)
    except (httpx.HTTPError, TimeoutError) as error:
        await client.aclose()
        raise _failure(error, target) from error
    except asyncio.CancelledError:
        await client.aclose()
        raise


async def close_answer(answer: httpx.Response) -> None:
    await answer.aclose()
    await answer.request.extensions["client"].aclose()


async def ask(target: Target, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    """The container's complete answer. Raises ApiError UNAVAILABLE."""
    answer = await open_answer(target, path, body, headers)
    try:
        async with asyncio.timeout(target.timeout_seconds):
            await answer.aread()
    except (httpx.HTTPError, TimeoutError) as error:
        raise _failure(error, target) from error
    finally:
        await close_answer(answer)
    return answer


@contextmanager
def answer_stream(target: Target, body: bytes, content_type: str) -> Iterator[httpx.Response]:
    """The streamed answer of the predict route, for code that runs in a thread.

    Raises ApiError: the container's own refusal, or UNAVAILABLE.
    """
    headers = {"content-type": content_type, **_IDENTITY}
    url = f"{target.address}{target.predict_route}"
    try:
        with (
            httpx.Client(trust_env=False, verify=False, timeout=target.timeout_seconds) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise container_error(answer.status_code, answer.read())
            yield answer
    except httpx.HTTPError as error:
        raise _failure(error, target) from error


def _failure(error: Exception, target: Target) -> ApiError:
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return took_too_long(target)
    return ApiError("UNAVAILABLE", f"The model server of endpoint {target.endpoint} broke off: {error}")
