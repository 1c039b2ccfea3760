"""What may be fetched: pages of the public network, and nothing else, whatever name it hides behind."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from memexlab.ledger import MemexError, UsageError
from memexlab.wiki.fetching import _connection, fetch, public_address


def no_lookup(name: str) -> list[str]:
    """Numbers as inet_aton reads them, which is what a resolver does with them; names of this machine are local."""
    import socket

    try:
        return [socket.inet_ntoa(socket.inet_aton(name))]
    except OSError:
        return [name] if ":" in name else ["127.0.0.1"]


HOSTILE = [
    "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://0/",
    "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://169.254.169.254/latest",
    "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://example.com@127.0.0.1/", "http://127.0.0.1#@example.com/", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "ftp://8.8.8.8/", "data:text/html,x", "//evil.example/", "http:\\\\127.0.0.1\\", "http://[::]:80/",
    "http://8.8.8.8:22/",
    "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://[fe80::1%25eth0]/", "http://8.8.8.8:x/",
    "",
    "http://8.8.8.8/ HTTP/1.1\r\nX: y", "http:///x", "http://224.0.0.1/", "http://255.255.255.255/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_what_is_not_public_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(UsageError):
        fetch(url, no_lookup)


def test_the_hostile_addresses_of_the_data_are_refused(request: pytest.FixtureRequest) -> None:
    path = request.config.rootpath.parent / "shared" / "data" / "bad-inputs" / "samples" / "net" / "urls.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    for url in json.loads(path.read_text()):
        with pytest.raises(MemexError):
            public_address(url, no_lookup)


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(UsageError, match=r"10\.0\.0\.1"):
        public_address("https://two-faced.example/", lambda name: ["93.184.216.34", "10.0.0.1"])


def test_a_public_address_passes() -> None:
    found = public_address("https://example.org/a?b=c", lambda name: ["93.184.216.34"])
    assert found == ("https", "example.org", 443, "93.184.216.34")


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    seen: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(str(self.headers["Host"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.handle_request, daemon=True).start()
    connection = _connection("http", "named.example", server.server_port, "127.0.0.1")
    connection.request("GET", "/")
    assert connection.getresponse().status == 204
    server.server_close()
    assert seen == [f"named.example:{server.server_port}"]
