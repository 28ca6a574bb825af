"""One running service for all flows of a session, its clients and their keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.service import Api, Service
from tests.switches import MARKET, NO_MARKET


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    running = Service()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def sample(service: Service) -> dict[str, Any]:
    """What `load_sample` says of the synthetic client."""
    return service.load_sample()


@pytest.fixture(scope="session")
def sandbox(service: Service, sample: dict[str, Any]) -> dict[str, Any]:
    """What `load_sandbox` says of that client's sandbox."""
    return service.load_sandbox()


@pytest.fixture(scope="session")
def market_folder() -> Path:
    if not (MARKET / "prices").is_dir():
        pytest.skip(NO_MARKET)
    return MARKET


@pytest.fixture(scope="session")
def demo(service: Service, market_folder: Path) -> dict[str, Any]:
    """What `load_sample` says of the client with real prices."""
    return service.load_sample(market_folder)


@pytest.fixture(scope="session")
def api(service: Service, sample: dict[str, Any]) -> Api:
    """A caller of the synthetic client."""
    return Api(service.base_url, sample["api_key"])
