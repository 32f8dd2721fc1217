"""An HTTP connection by the environment's settings: proxies and trusted authorities."""

import ssl
from base64 import b64encode
from functools import cache
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, unquote

from vertex_vllm.network.faults import check_authorities, check_proxy

CONNECT_SECONDS = 5


def open_connection(parts: SplitResult) -> HTTPConnection:
    """An unconnected connection. Raises InputError for an unusable proxy or file of authorities."""
    host, port = parts.hostname or "", parts.port
    if parts.scheme != "https":
        return HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    through = check_proxy(parts.geturl())
    if through is None:
        return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=trusted_authorities())
    connection = HTTPSConnection(
        through.hostname or "", through.port, timeout=CONNECT_SECONDS, context=trusted_authorities()
    )
    connection.set_tunnel(host, port, headers=_proxy_authorization(through))
    return connection


def trusted_authorities() -> ssl.SSLContext:
    """The authorities that the environment trusts, else certifi's. Raises InputError for an unusable file."""
    return _trust(_authorities())


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _authorities() -> str:
    """File or folder of the authorities to trust: as requests and the ssl module find it, else certifi's."""
    import certifi

    return check_authorities() or certifi.where()


@cache
def _trust(authorities: str) -> ssl.SSLContext:
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)
