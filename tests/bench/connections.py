"""A load generator that costs little: kept connections, one request under way on each."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Mapping

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def fire(
    port: int, path: str, headers: Mapping[str, str], *, requests: int, connections: int = 4
) -> None:
    """Send so many GETs over kept connections; every answer must be a 200."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    left, done = requests, 0
    with selectors.DefaultSelector() as ready:
        sockets: list[socket.socket] = [
            socket.create_connection(("127.0.0.1", port)) for _ in range(connections)
        ]
        received = {one: bytearray() for one in sockets}
        try:
            for one in sockets:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(one, selectors.EVENT_READ, one)
                one.sendall(request)
                left -= 1
            while done < requests:
                for key, _ in ready.select():
                    one = key.data
                    answer = received[one]
                    answer += one.recv(1 << 18)
                    if not _whole(answer):
                        continue
                    assert answer.startswith(b"HTTP/1.1 200"), bytes(answer[:500])
                    answer.clear()
                    done += 1
                    if left > 0:
                        one.sendall(request)
                        left -= 1
        finally:
            for one in sockets:
                one.close()


def _whole(answer: bytearray) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = _LENGTH.search(answer, 0, head)
    return length is not None and len(answer) >= head + 4 + int(length[1])
