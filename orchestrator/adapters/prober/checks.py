"""Health probes from the controller: does a page or a port answer."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # what is probed is ours, not behind a proxy


def http(url: str, timeout: float) -> str:
    """Empty text when ``url`` answers 200-399, redirects followed, else the reason."""
    if not url.startswith(("http://", "https://")):
        return f"{url}: not an http address"
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}"
    except urllib.error.URLError as error:
        return f"{url}: {_words(error.reason)}"
    except (OSError, ValueError) as error:
        return f"{url}: {_words(error)}"
    return "" if 200 <= status < 400 else f"{url} answers {status}"


def tcp(target: str, timeout: float) -> str:
    """Empty text when ``host:port`` takes a connection, else the reason."""
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit():
        return f"{target}: not host:port"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout):
            return ""
    except OSError as error:
        return f"{target}: {_words(error)}"


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)
