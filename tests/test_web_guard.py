"""Who may ask the server what: names of the loopback, one origin, the token for writes."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from memexlab.web.guard import Guard

TOKEN = "a-secret-token"


async def _never(scope: object, receive: object, send: object) -> None:
    raise AssertionError("a refused request must not reach the pages")


GUARD = Guard(_never, TOKEN)
HOST = ("host", "127.0.0.1:8765")
COOKIE = ("cookie", f"memex={TOKEN}")
JSON = ("content-type", "application/json")


def refused(method: str, *headers: tuple[str, str]) -> int:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    found = GUARD.refusal(method, Headers(raw=raw))
    return found[0] if found else 0


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1", "localhost", "[::1]:8765", "LOCALHOST:80"])
def test_names_of_the_loopback_are_answered(host: str) -> None:
    assert refused("GET", ("host", host)) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example:8765", "0.0.0.0:8765",
        "169.254.169.254", "127.0.0.1@evil.example", "user@localhost:8765", "localhost:notaport", "", "[::1",
        "2130706433",
        "localhost:99999", "127.0.0.1:8765, evil.example",
    ],
)  # fmt: skip
def test_dns_rebinding_is_refused(host: str) -> None:
    assert refused("GET", ("host", host)) == 421


def test_a_request_has_exactly_one_host() -> None:
    assert refused("GET") == 421
    assert refused("GET", HOST, ("host", "evil.example")) == 421


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8765", "https://evil.example:8765", "x",
     "http://127.0.0.1:8765.evil.example", "file://"],
)  # fmt: skip
def test_another_origin_is_refused_even_with_the_token(origin: str) -> None:
    assert refused("POST", HOST, COOKIE, JSON, ("origin", origin)) == 403
    assert refused("GET", HOST, ("origin", origin)) == 403


def test_a_write_needs_the_token() -> None:
    assert refused("POST", HOST, JSON) == 401
    assert refused("POST", HOST, JSON, ("cookie", "memex=guess")) == 401
    assert refused("POST", HOST, JSON, ("cookie", "memex")) == 401
    assert refused("POST", HOST, JSON, ("authorization", f"Basic {TOKEN}")) == 401
    assert refused("POST", HOST, JSON, COOKIE) == 0
    assert refused("POST", HOST, JSON, ("authorization", f"Bearer {TOKEN}")) == 0
    assert refused("DELETE", HOST, JSON) == 401


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx"],
)
def test_what_a_form_can_send_from_anywhere_is_refused(kind: str) -> None:
    assert refused("POST", HOST, COOKIE, ("content-type", kind)) == 415


def test_cross_site_reads_are_refused_but_a_link_may_be_followed() -> None:
    assert refused("GET", HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")) == 403
    assert refused("GET", HOST, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")) == 403
    assert refused("GET", HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")) == 0
    assert refused("POST", HOST, COOKIE, JSON, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")) == 403


@pytest.mark.parametrize("length", ["99999999999", "-1", "ten"])
def test_an_oversized_body_is_refused_before_it_is_read(length: str) -> None:
    assert refused("POST", HOST, COOKIE, JSON, ("content-length", length)) == 413
