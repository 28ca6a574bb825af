"""Names that answer with another address each time they are asked (DNS rebinding).

In the process that delivers, at the lowest layer that Python has: its resolver is replaced by one
that changes its mind, and an audit hook writes down every connection before it is made.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from portfolios.models import Client, Delivery, WebhookEndpoint
from portfolios.services.events import event_record
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import EventType
from portfolios.webhooks.signing import seal
from tests.flows.workers import DELIVER, running
from tests.sizes import sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

EVENTS = sized(3, 60)
PUBLIC = "93.184.215.14"
#: A name, and what it answers one time after the other, for ever.
NAMES = {
    "first-public.example.com": [[PUBLIC], ["127.0.0.1"]],
    "first-private.example.com": [["127.0.0.1"], [PUBLIC]],
    "both.example.com": [[PUBLIC, "127.0.0.1"], ["10.0.0.1", PUBLIC]],
    "metadata.example.com": [[PUBLIC], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["::1"]],
    "embedded.example.com": [[PUBLIC], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["100.64.0.1"]],
    "never-public.example.com": [["192.168.0.1"], ["fd00::1"], ["127.0.0.1"]],
}
#: Nothing is sent to the Internet: connections to public addresses are written down and refused.
RESOLVER = f"""
import collections, itertools, socket, sys, threading

NAMES = {NAMES!r}
turns = {{name: itertools.cycle(answers) for name, answers in NAMES.items()}}
asked = socket.getaddrinfo
lock = threading.Lock()

def getaddrinfo(host, port, *rest, **named):
    if host not in turns:
        return asked(host, port, *rest, **named)
    with lock:
        write("asked", host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "",
             (address, port))
            for address in next(turns[host])
        ]

def write(what, about):
    with open(LOG, "a") as log:
        log.write(what + " " + about + "\\n")

def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        write("connect", arguments[1][0])
        raise ConnectionRefusedError("a test lets nobody out")

socket.getaddrinfo = getaddrinfo
sys.addaudithook(watch)
"""


@pytest.fixture
def client(transactional_db: None) -> Client:
    with operator_scope():
        return Client.objects.create(name="Alpha", slug="alpha")


def _endpoints(client: Client) -> None:
    """Written as rows: on the day they were made, all their names were public."""
    with operator_scope():
        for name in NAMES:
            WebhookEndpoint.objects.create(
                client=client, url=f"https://{name}/", secret=seal(b"whsec_" + b"A" * 32)
            )


def test_no_connection_is_made_to_what_a_name_turns_into(client: Client, tmp_path: Path) -> None:
    log = tmp_path / "network.log"
    log.touch()
    (tmp_path / "sitecustomize.py").write_text(f"LOG = {str(log)!r}\n{RESOLVER}")
    _endpoints(client)
    with client_scope(client.pk):
        for number in range(EVENTS):
            event_record(client.pk, EventType.RUN_FINISHED, f"run_{number}", "succeeded")
    with running(DELIVER, tmp_path / "deliver.log", PYTHONPATH=str(tmp_path)):
        deadline = time.monotonic() + 60 + EVENTS
        while _untried() and time.monotonic() < deadline:
            time.sleep(0.1)
    assert not _untried()
    lines = [line.split() for line in log.read_text().splitlines()]
    connected = [address for what, address in lines if what == "connect"]
    asked = [name for what, name in lines if what == "asked"]
    assert set(asked) == set(NAMES)
    # Once a try, and no more: as many as are under way at the end may not have told yet.
    assert 0 <= len(asked) - _tries() <= 4
    assert set(connected) == {PUBLIC}


def _tries() -> int:
    with operator_scope():
        return sum(len(log) for log in Delivery.objects.values_list("log", flat=True))


def _untried() -> bool:
    with operator_scope():
        return Delivery.objects.filter(log=[]).exists()
