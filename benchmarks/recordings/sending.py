"""Sends recorded requests unchanged, by HTTP or gRPC, through the environment's proxy."""

import http.client
import json
import os
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import grpc
from google.protobuf import json_format

from localcloud.front.contract import Method, load_contract
from localcloud.services.hosts import API_PACKAGES, ROUTES

_TIMEOUT_SECONDS = 120
_TRIES = 2


@dataclass(frozen=True)
class Answer:
    """An answer. `status`: the HTTP status, or the name of a gRPC code (`OK`)."""

    status: int | str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body as a JSON value; None for a body that is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class HttpClient:
    """HTTP without added headers, redirects or decoding. Connections are kept."""

    def __init__(self) -> None:
        proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
        self._proxy = (str(proxy.hostname), int(proxy.port or 443))
        # Reads SSL_CERT_FILE.
        self._context = ssl.create_default_context()
        self._kept: dict[str, http.client.HTTPSConnection] = {}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Sends a request. Raises OSError if the proxy refuses the host or the connection breaks."""
        parts = urllib.parse.urlsplit(url)
        host = str(parts.hostname)
        for attempt in range(_TRIES):
            connection = self._connection(host)
            try:
                return self._send(connection, method, parts, headers, body)
            except (http.client.HTTPException, ConnectionError, TimeoutError):
                # The server may have closed a kept connection.
                self._kept.pop(host).close()
                if attempt + 1 == _TRIES:
                    raise
        raise AssertionError("unreachable")

    def _connection(self, host: str) -> http.client.HTTPSConnection:
        if host not in self._kept:
            connection = http.client.HTTPSConnection(*self._proxy, context=self._context, timeout=_TIMEOUT_SECONDS)
            connection.set_tunnel(host, 443)
            self._kept[host] = connection
        return self._kept[host]

    def _send(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        parts: urllib.parse.SplitResult,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": str(parts.hostname), "Accept": "*/*", **headers}.items():
            connection.putheader(name, value)
        if body is not None or method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body or b"")))
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read()
        joined: dict[str, str] = {}
        for name, value in response.getheaders():
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
        return Answer(response.status, joined, content)


def methods_of_apis() -> dict[str, tuple[str, Method]]:
    """gRPC method → its API. Methods of operations, which all APIs have, count as Vertex AI's."""
    methods: dict[str, tuple[str, Method]] = {}
    for api, packages in API_PACKAGES.items():
        for path, method in load_contract(packages).items():
            methods.setdefault(path, (api, method))
    return methods


def grpc_host(api: str, region: str) -> str:
    """The host of an API. `region` "" or "global": the API's only host."""
    if api == "vertex" and region not in ("", "global"):
        return f"{region}-aiplatform.googleapis.com"
    return next(route.host for route in ROUTES if route.app == api and "*" not in route.host)


class GrpcClient:
    """gRPC calls with messages of the installed client packages."""

    def __init__(self, token: str) -> None:
        with open(os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"], "rb") as bundle:
            self._credentials = grpc.ssl_channel_credentials(bundle.read())
        self._metadata = (("authorization", f"Bearer {token}"),)

    @cached_property
    def _methods(self) -> dict[str, tuple[str, Method]]:
        return methods_of_apis()

    def call(self, path: str, fields: Mapping[str, Any], region: str) -> Answer:
        """Makes a call. `fields`: the request as proto JSON. Raises KeyError for a method that the packages lack."""
        api, method = self._methods[path]
        with grpc.secure_channel(f"{grpc_host(api, region)}:443", self._credentials) as channel:
            send = channel.unary_unary(path, method.request_type.SerializeToString, method.response_type.FromString)
            request = json_format.ParseDict(fields, method.request_type(), ignore_unknown_fields=True)
            try:
                answered = send(request, metadata=self._metadata, timeout=_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                return Answer(error.code().name, body=json.dumps(error.details()).encode())
        return Answer("OK", body=json_format.MessageToJson(answered).encode())
