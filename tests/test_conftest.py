"""The closed network is closed, and loopback is open."""

from __future__ import annotations

import socket

import pytest

from .conftest import NetworkClosed


def test_nothing_leaves_the_machine() -> None:
    for address in ("192.0.2.1", "example.org"):
        with socket.socket() as outside, pytest.raises(NetworkClosed):
            outside.connect((address, 80))
        with pytest.raises(NetworkClosed):
            socket.create_connection((address, 80))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside, pytest.raises(NetworkClosed):
        outside.sendto(b"x", ("192.0.2.1", 53))


def test_loopback_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x")
        assert server.accept()[0].recv(1) == b"x"
