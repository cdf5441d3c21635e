"""One HTTP exchange with a server, straight or through a proxy, bounded in time as a whole."""

import base64
import contextlib
import http.client
import ipaddress
import os
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.message import Message

from jaxteach.utils.errors import UserError

MAX_BYTES = 8 * 2**20
"""Longest reply that is read; a server can send anything."""

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "localhost6", "ip6-localhost"})


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Attributes:
        status: of HTTP.
        headers: by name; names in any case.
        body: at most one byte more than `MAX_BYTES`; nothing of a stream of events, which may have no end.
    """

    status: int
    headers: Message
    body: bytes

    @property
    def kind(self) -> str:
        """The content type, without its parameters."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Proxy:
    """A proxy that the environment names.

    Attributes:
        variable: where it was named.
        host: its name or address.
        port: its port.
        headers: what it is sent beside the request; a password is in here, and not shown.
    """

    variable: str
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port} ({self.variable})"


class Wire:
    """The way to one server.

    A time-out of sockets bounds the wait for the next byte, so a server that sends a byte now and then holds
    it for ever, and the look-up of a name has none. Therefore every exchange runs in a thread, and whoever
    waits for it leaves at the time-out; the connection is then cut, which ends the thread.

    Args:
        base_url: the server, `http` or `https`.
        timeout: seconds for a whole exchange.

    Raises:
        UserError: the environment names a proxy of a kind that cannot be used.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        self._url = urllib.parse.urlsplit(base_url)
        self._timeout = timeout
        self.proxy = find_proxy(self._url.scheme, self._url.netloc)

    def __str__(self) -> str:
        return f"{self._url.netloc} through {self.proxy}" if self.proxy else self._url.netloc

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send a request and read the whole reply; redirects are not followed.

        Args:
            method: of HTTP.
            path: what follows the base URL.
            headers: of the request.
            body: of the request.

        Raises:
            OSError: no connection, or no whole reply in time.
            http.client.HTTPException: the connection broke off, or the other side does not speak HTTP.
        """
        exchange = _Exchange(self._url, self.proxy, self._timeout)
        target = f"{self._url.path}{path}"
        arguments = (method, target, dict(headers), body)
        threading.Thread(target=exchange.run, args=arguments, name="jaxteach-request", daemon=True).start()
        try:
            return exchange.future.result(self._timeout)
        except TimeoutError as error:  # of the whole, or of a socket
            raise TimeoutError(f"no whole reply within --timeout {self._timeout:g} s") from error
        finally:
            exchange.give_up()


class _Exchange:
    """One request and its reply, in one thread, which another can end."""

    def __init__(self, url: urllib.parse.SplitResult, proxy: Proxy | None, timeout: float) -> None:
        self.future: Future[Answer] = Future()
        self._url, self._proxy = url, proxy
        secure = url.scheme == "https"
        connection = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        if proxy is None:
            self._connection = connection(url.netloc, timeout=timeout)
        else:
            self._connection = connection(proxy.host, proxy.port, timeout=timeout)
            if secure:
                self._connection.set_tunnel(url.netloc, headers=proxy.headers)
        self._socket: socket.socket | None = None
        self._ended = threading.Event()

    def run(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> None:
        """Exchange, and hand over what came of it."""
        try:
            self.future.set_result(self._exchange(method, target, headers, body))
        except BaseException as error:
            self.future.set_exception(error)
        finally:
            self._connection.close()

    def give_up(self) -> None:
        """Cut the connection if it is still there: whatever waits for it wakes up."""
        self._ended.set()
        open_socket = self._socket or self._connection.sock
        if open_socket is not None and not self.future.done():
            with contextlib.suppress(OSError):
                # The plain socket's way: that of TLS would first clear what the other thread is reading by.
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)

    def _exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Answer:
        connection = self._connection
        connection.connect()
        self._socket = connection.sock
        if self._ended.is_set():  # while the name was looked up: nothing must be sent any more
            raise TimeoutError
        if self._proxy and self._url.scheme == "http":
            target = f"http://{self._url.netloc}{target}"
            headers = headers | self._proxy.headers
        connection.request(method, target, body, headers | {"Connection": "close"})
        with connection.getresponse() as reply:
            head = Answer(reply.status, reply.headers, b"")
            if head.kind == "text/event-stream":
                return head
            data = reply.read(MAX_BYTES + 1)
            if reply.length and len(data) <= MAX_BYTES:
                raise http.client.IncompleteRead(data, reply.length)
            return Answer(reply.status, reply.headers, data)


def find_proxy(scheme: str, netloc: str) -> Proxy | None:
    """The proxy the environment names for a server; a server on this machine is reached without.

    Args:
        scheme: "http" or "https".
        netloc: the server's host, and its port if the URL has one.

    Raises:
        UserError: what the environment says is no proxy that can be used.
    """
    proxies = urllib.request.getproxies()
    kind = next((kind for kind in (scheme, "all") if proxies.get(kind)), None)
    host = urllib.parse.urlsplit(f"//{netloc}").hostname or ""
    if kind is None or is_here(host) or urllib.request.proxy_bypass(netloc) or _in_free_network(host):
        return None
    names = (name for name in (f"{kind}_proxy", *os.environ) if name.lower() == f"{kind}_proxy")
    variable = next((name for name in names if os.environ.get(name)), "system settings")
    address = proxies[kind]
    try:
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        usable = False
    if not usable:
        raise UserError(
            f"{variable} names no proxy that can be used for {netloc}: it must look like http://host:port "
            f"(other kinds, such as socks, are not supported); or list the server in no_proxy"
        )
    headers = {}
    if parts.username:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(login.encode()).decode("ascii")
    return Proxy(variable, parts.hostname or "", port, headers)


def is_here(host: str) -> bool:
    """Whether a host is this machine: a proxy elsewhere could never reach it.

    >>> [is_here(host) for host in ("localhost", "127.0.0.53", "127.1", "::1", "0.0.0.0", "example.org")]
    [True, True, True, True, True, False]
    """
    name = host.rstrip(".").lower()
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(name))  # short forms, such as 127.1
        except OSError:
            return False
    bare = getattr(address, "ipv4_mapped", None) or address
    return bool(bare.is_loopback or bare.is_unspecified)


def _in_free_network(host: str) -> bool:
    """Whether no_proxy holds a network, such as 10.0.0.0/8, that the address is in."""
    listed = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    for entry in listed:
        with contextlib.suppress(ValueError):
            if "/" in entry and ipaddress.ip_address(host) in ipaddress.ip_network(
                entry.strip(), strict=False
            ):
                return True
    return False
