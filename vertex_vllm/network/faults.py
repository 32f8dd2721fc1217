"""Kinds of network failures: which ones last until a setting is changed, and which setting."""

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.client import BadStatusLine, RemoteDisconnected
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from vertex_vllm.errors import InputError

FOR_GOOD = 0.0
"""Seconds of retries for a failure that lasts until a setting is changed."""
UNREACHABLE_SECONDS = 8.0
"""Seconds of retries for a host that has never answered: a name server or a service may still be starting."""
_REFUSED_SECONDS = 3.0
_CLOSED_SECONDS = 12.0
_UNLIMITED = float("inf")

_AUTHORITIES = (
    "Set SSL_CERT_FILE and REQUESTS_CA_BUNDLE to a PEM file with the authority that signs for this host; a company's "
    "proxy has an authority of its own."
)
_CLOCK = "Check this machine's clock; if it is right, the host needs a new certificate."
# OpenSSL's X509_V_ERR_… (x509_vfy.h): code → what is wrong, what to do. Others: the authority is not trusted.
_CERTIFICATES = {
    9: ("its certificate is not valid yet", _CLOCK),
    10: ("its certificate has expired", _CLOCK),
    62: ("its certificate is for another host", "Check the address, and the proxy if there is one."),
    64: ("its certificate is for another host", "Check the address, and the proxy if there is one."),
}
# Reasons of an SSLError that say that the other side does not speak TLS (OpenSSL's sslerr.h).
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG")
# First bytes of a TLS record with an alert: an HTTPS server's answer to plain HTTP.
_TLS_ALERT = re.compile(r"\x15\x03|\\x15\\x03")
# A proxy may be busy; every other refusal of it is a setting.
_BUSY = (429, 502, 503, 504)
# Of httpx: the connection ends before an answer begins.
_NO_ANSWER = ("RemoteProtocolError", "ReadError", "WriteError", "CloseError", "ConnectError", "SSLEOFError")
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)


@dataclass(frozen=True)
class NetworkFault:
    """Why a host could not be asked."""

    message: str
    """Names the host, never a URL's path or query, a login or a header."""
    fix: str = ""
    patience_seconds: float = _UNLIMITED
    """Seconds of retries while the host has never answered; `FOR_GOOD`: none."""

    @property
    def lasts(self) -> bool:
        return self.patience_seconds == FOR_GOOD


def network_fault(error: BaseException, url: str) -> NetworkFault:
    """The fault behind an error of any HTTP client that asked for `url`, read from the chain of its causes."""
    parts = urlsplit(url)
    host = _host(parts)
    through = _through(parts)
    for cause in _causes(error):
        found = _certificate(cause, host) or _tls(cause, host) or _proxy(cause, host, through) or _http(cause, host)
        if found is not None:
            return found
    for cause in _causes(error):
        found = _address(cause, through or host, "the proxy " if through else "")
        if found is not None:
            return found
    name = type(error).__name__
    if re.search(r"connect.?timeout", name, re.IGNORECASE):
        return NetworkFault(f"{host} did not take a connection ({name})", _reach(through), UNREACHABLE_SECONDS)
    if isinstance(error, ConnectionError) or name in _NO_ANSWER:
        fix = "Check address and port, and whether the address begins with https://."
        return NetworkFault(f"{host} closes the connection without an answer ({name})", fix, _CLOSED_SECONDS)
    return NetworkFault(f"{name} at {host}")


def check_address(url: str, where: str, example: str) -> str:
    """`url` without a slash at its end, if it is an address of an HTTP service. Raises InputError."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", url):
        shown = url if "@" not in url else "the address"  # A login may contain a password.
        raise InputError(f"{shown!r} is not an address of a service", where=where, fix=f"Write {example}.")
    return url.rstrip("/")


def check_proxy(url: str) -> SplitResult | None:
    """The proxy of requests to `url`, if there is one. Raises InputError for an unusable proxy."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxy = getproxies().get(parts.scheme)
    if not proxy:
        return None
    variable = f"{parts.scheme.upper()}_PROXY"
    return urlsplit(check_address(proxy if "://" in proxy else f"http://{proxy}", variable, "http://HOST:PORT"))


def check_authorities() -> str:
    """File or folder of the authorities that the environment trusts; empty for the usual ones. Raises InputError."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(name, ""):
            return _usable(name, path)
    return ""


@cache
def _usable(name: str, path: str) -> str:
    try:
        if not os.path.isdir(path):
            ssl.create_default_context(cafile=path)
    except OSError as error:  # An ssl.SSLError is one, too.
        fault = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        fix = "Name a PEM file with the trusted authorities, or unset it."
        raise InputError(f"{path} cannot be used: {fault}", where=name, fix=fix) from None
    return path


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, the innermost last: causes, contexts, and errors among the arguments."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]


def _certificate(error: BaseException, host: str) -> NetworkFault | None:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    message, fix = _CERTIFICATES.get(error.verify_code, ("its certificate is not trusted", _AUTHORITIES))
    detail = f" ({error.verify_message})" if error.verify_message else ""
    return NetworkFault(f"{host}: {message}{detail}", fix, FOR_GOOD)


def _tls(error: BaseException, host: str) -> NetworkFault | None:
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    reason = getattr(error, "reason", None) or str(error)
    if reason in _NO_TLS:
        fix = "Check the port; write http:// in the address if the service has no TLS."
        return NetworkFault(f"{host} does not speak TLS", fix, FOR_GOOD)
    if "ALERT" in reason or "UNSUPPORTED_PROTOCOL" in reason or "NO_PROTOCOLS" in reason:
        return NetworkFault(
            f"{host} refuses the TLS handshake ({reason})", "Check the address and the proxy.", FOR_GOOD
        )
    return None


def _proxy(error: BaseException, host: str, through: str) -> NetworkFault | None:
    """A proxy's refusal to connect, in the words of http.client, urllib3 or httpcore."""
    if not through or not isinstance(error, Exception):
        return None
    found = re.search(r"(?:Tunnel connection failed: |^)(\d{3})\b ?([\w '-]*)$", str(error))
    if found is None or not (isinstance(error, OSError) or type(error).__name__ == "ProxyError"):
        return None
    status = int(found[1])
    message = f"the proxy {through} answers {found[0].removeprefix('Tunnel connection failed: ').strip()} for {host}"
    if status in _BUSY:
        return NetworkFault(message)
    if status == 407:
        return NetworkFault(message, "Put a login into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT.", FOR_GOOD)
    fix = "Have the proxy let this host through, or name the host in NO_PROXY if it can be reached without."
    return NetworkFault(message, fix, FOR_GOOD)


def _http(error: BaseException, host: str) -> NetworkFault | None:
    """An answer that is not HTTP: another service, or TLS, listens on that port."""
    if isinstance(error, RemoteDisconnected):
        return None
    text = str(error)
    if isinstance(error, BadStatusLine) or "illegal status line" in text.lower():
        if _TLS_ALERT.search(text):
            return NetworkFault(f"{host} speaks TLS", "Write https:// in the address.", FOR_GOOD)
        return NetworkFault(f"{host} does not speak HTTP", "Check the address and the port.", FOR_GOOD)
    return None


def _address(error: BaseException, host: str, kind: str) -> NetworkFault | None:
    if isinstance(error, socket.gaierror):
        lasts = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        fix = "Check the spelling of the address, and this machine's name server." if not kind else "Check HTTPS_PROXY."
        seconds = FOR_GOOD if lasts else UNREACHABLE_SECONDS
        return NetworkFault(f"the name of {kind}{host} does not resolve ({error.strerror})", fix, seconds)
    if isinstance(error, ConnectionRefusedError):
        fix = "Check address and port, and that the service runs." if not kind else "Check HTTPS_PROXY."
        return NetworkFault(f"{kind}{host} refuses connections: nothing listens on that port", fix, _REFUSED_SECONDS)
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return NetworkFault(f"no way to {kind}{host}: {error.strerror}", _reach(kind), UNREACHABLE_SECONDS)
    return None


def _reach(through: str) -> str:
    return "Check HTTPS_PROXY." if through else "Check the network, its firewall, and whether it needs HTTPS_PROXY."


def _host(parts: SplitResult) -> str:
    """Host, and port where the address names one."""
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.hostname or ''}:{port}" if port else parts.hostname or ""


def _through(parts: SplitResult) -> str:
    """Host and port of the proxy for that address; empty without one."""
    try:
        proxy = check_proxy(parts.geturl())
    except InputError:
        return ""
    return _host(proxy) if proxy is not None else ""
