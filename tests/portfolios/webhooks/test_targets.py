"""Server-side request forgery: whatever the URL, nothing that is not public is connected to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django import Settings

from portfolios.webhooks import targets
from portfolios.webhooks.sending import post
from portfolios.webhooks.targets import TargetRefused, addresses_of, is_public, target_of
from tests.portfolios.webhooks.hostile_urls import MALFORMED, NOT_PUBLIC, PUBLIC

URL = "https://hooks.example.com/hook"


class Wire:
    """Every look-up and every connection that anybody in this process attempts."""

    def __init__(self) -> None:
        self.answers: Callable[[str], list[str]] = lambda _: []
        self.asked: list[str] = []
        self.connected: list[str] = []

    def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        if _is_literal(host):
            answers = [host]
        else:
            self.asked.append(host)
            answers = self.answers(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in answers
        ]

    def connect(self, _: socket.socket, address: Any) -> None:
        self.connected.append(address[0])
        raise ConnectionRefusedError


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)

    def connect(connecting: socket.socket, address: Any) -> None:
        made.connect(connecting, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return made


@contextmanager
def listening(family: socket.AddressFamily, host: str) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind((host, 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


def test_there_are_eighty_and_more_of_them() -> None:
    assert len(set(MALFORMED)) + len(NOT_PUBLIC) >= 80
    assert len(set(MALFORMED)) == len(MALFORMED)


@pytest.mark.parametrize("url", MALFORMED)
def test_odd_url_is_refused_before_anything_is_asked(wire: Wire, url: str) -> None:
    wire.answers = lambda _: ["127.0.0.1"]
    with pytest.raises(TargetRefused):
        target_of(url)
    assert post(url, {}, b"{}").error.startswith("address refused")
    assert (wire.asked, wire.connected) == ([], [])


@pytest.mark.parametrize("answers", NOT_PUBLIC, ids=",".join)
def test_name_with_an_answer_that_is_not_public_is_not_called(
    wire: Wire, answers: list[str]
) -> None:
    wire.answers = lambda _: answers
    with pytest.raises(TargetRefused, match="does not resolve to public addresses"):
        addresses_of(target_of(URL))
    assert post(URL, {}, b"{}").error.startswith("address refused")
    assert wire.connected == []


@pytest.mark.parametrize("answers", PUBLIC, ids=",".join)
def test_public_name_is_resolved_once_and_its_very_addresses_called(
    wire: Wire, answers: list[str]
) -> None:
    wire.answers = lambda _: answers
    assert post(URL, {}, b"{}").error.startswith("connect")
    assert wire.asked == ["hooks.example.com"]
    assert wire.connected == answers


def test_name_that_turns_private_between_two_tries_is_not_called(wire: Wire) -> None:
    """DNS rebinding: every try looks the name up once and checks what it then connects to."""
    sequence = iter([["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14"]])
    wire.answers = lambda _: next(sequence)
    assert addresses_of(target_of(URL)) == ["93.184.215.14"]
    assert post(URL, {}, b"{}").error.startswith("address refused")
    assert post(URL, {}, b"{}").error.startswith("connect")
    assert wire.connected == ["93.184.215.14"]


def test_listeners_of_this_machine_hear_nothing() -> None:
    """The same with nothing patched: real listeners, the spellings that would lead to them."""
    with (
        listening(socket.AF_INET, "127.0.0.1") as one,
        listening(socket.AF_INET6, "::1") as other,
    ):
        ports = {listener.getsockname()[1] for listener in (one, other)}
        hosts = (
            "localhost", "127.0.0.1", "127.1", "0", "0x7f000001", "2130706433", "0177.0.0.1",
            "[::1]", "[::ffff:127.0.0.1]", "user@127.0.0.1", "127.0.0.1.", "localhost.",
        )  # fmt: skip
        for port in ports:
            for host in hosts:
                assert post(f"https://{host}:{port}/", {}, b"{}").error.startswith(
                    "address refused"
                )
        for listener in (one, other):
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_proxies_of_the_environment_are_not_used(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
    wire.answers = lambda _: ["93.184.215.14"]
    post(URL, {}, b"{}")
    assert wire.connected == ["93.184.215.14"]


def test_exactly_what_the_operator_lists_is_exempt(wire: Wire, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_TARGETS = ["hooks.internal.example:8443"]
    wire.answers = lambda _: ["10.0.0.1"]
    assert addresses_of(target_of("https://hooks.internal.example:8443/x")) == ["10.0.0.1"]
    for url in ("https://hooks.internal.example/", "https://other.internal.example:8443/"):
        with pytest.raises(TargetRefused):
            addresses_of(target_of(url))


def test_name_server_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def silent(*_: Any, **__: Any) -> list[Any]:
        answered.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    monkeypatch.setattr(targets, "_resolving", threading.BoundedSemaphore(1))
    for _ in range(2):  # the second finds the only place taken
        with pytest.raises(TargetRefused):
            addresses_of(target_of(URL), patience=0.05)
    answered.set()


def test_url_is_taken_apart_in_one_way() -> None:
    target = target_of("https://Hooks.Example.COM:443/a/b?c=%20d&e=1")
    assert (target.host, target.port, target.path) == (
        "hooks.example.com", 443, "/a/b?c=%20d&e=1"
    )  # fmt: skip
    assert target.authority == "hooks.example.com"
    assert target_of("https://hooks.example.com?x").path == "/?x"


def test_nonsense_is_no_public_address() -> None:
    assert not is_public("hooks.example.com")
    assert not is_public("")
