"""The service, as a caller uses it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from riskapi_client.credentials import PrivateKey
from riskapi_client.errors import ImportNotOver
from riskapi_client.runs import Run
from riskapi_client.transport import Transport

#: The longest that the service lets a request for an analysis wait.
_LONGEST_WAIT = 20
_IMPORT_OVER = frozenset(("done", "refused", "failed"))


class RiskApi:
    """A connection to one service for one key (or one OAuth2 client).

    `get`, `post`, `put`, `patch` and `delete` reach every operation of `/v1/docs` and answer with
    the body; the methods with names are what is needed every day.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        private_key: PrivateKey | None = None,
        patience: float = 60.0,
        timeout: float = 30.0,
        **further: Any,
    ) -> None:
        """The service at `url`, with a `key` or with the id of an OAuth2 client and
        its secret or private key.

        `timeout`: seconds that one attempt may take; `patience`: for how long attempts go on.
        """
        self._transport = Transport(
            url,
            key=key,
            client_id=client_id,
            client_secret=client_secret,
            private_key=private_key,
            patience=patience,
            timeout=timeout,
            **further,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._transport.send("GET", path, query=query).json

    def get_version(self, path: str, **query: Any) -> tuple[Any, str]:
        """The body and its ETag, which `patch` and `delete` take as `if_match`."""
        answer = self._transport.send("GET", path, query=query)
        return answer.json, answer.headers["ETag"]

    def post(
        self, path: str, body: Any, *, idempotency_key: str | None = None, **query: Any
    ) -> Any:
        """Without a key of yours each call has one of its own: made once, whatever the network
        does. With the same key the same call of another process is the same, too."""
        answer = self._transport.send(
            "POST", path, body, query=query, idempotency_key=idempotency_key
        )
        return answer.json

    def put(self, path: str, body: Any, **query: Any) -> Any:
        return self._transport.send("PUT", path, body, query=query).json

    def patch(self, path: str, body: Any, *, if_match: str) -> Any:
        """`if_match`: the ETag of the version that the change is based on, see `get_version`."""
        return self._transport.send("PATCH", path, body, headers={"If-Match": if_match}).json

    def delete(self, path: str, *, if_match: str | None = None) -> Any:
        headers = {"If-Match": if_match} if if_match else {}
        answer = self._transport.send("DELETE", path, headers=headers)
        return answer.json if answer.content else None

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page; rows that come or go meanwhile shift nothing."""
        while True:
            page = self.get(path, **query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["cursor"] = page["next_cursor"]

    def download(self, path: str, form: str = "csv", **query: Any) -> bytes:
        """A list or a run as a file: csv, parquet, arrow or xlsx."""
        return self._transport.send("GET", path, query={**query, "format": form}).content

    def portfolios(self, **filters: Any) -> Iterator[dict[str, Any]]:
        return self.pages("/v1/portfolios", **filters)

    def portfolio(self, external_id: str) -> dict[str, Any]:
        """The portfolio of your own id; `LookupError` where there is none."""
        for found in self.portfolios(external_id=external_id):
            return found
        raise LookupError(f"there is no portfolio with the external_id {external_id!r}")

    def set_positions(
        self, portfolio: str, as_of: Any, positions: Sequence[Mapping[str, Any]], source: str = ""
    ) -> dict[str, Any]:
        """The whole set of positions of a date, in place of the one before."""
        body = {"positions": list(positions), "source": source}
        answer: dict[str, Any] = self.put(
            f"/v1/portfolios/{portfolio}/positions", body, as_of=as_of
        )
        return answer

    def analyze(
        self,
        kind: str,
        *,
        portfolio: str | None = None,
        as_of: Any = None,
        units: Mapping[str, Mapping[str, Any]] | None = None,
        wait: int = _LONGEST_WAIT,
        **further: Any,
    ) -> Run:
        """Ask for an analysis. What is over within `wait` seconds comes with its results; for the
        rest call `Run.wait`."""
        asked = {"portfolio": portfolio, "as_of": as_of, "units": units, **further}
        answer = self._transport.send(
            "POST",
            f"/v1/analyses/{kind}",
            {name: value for name, value in asked.items() if value is not None},
            headers={"Prefer": f"wait={wait}"} if wait else {},
        )
        return Run(self._transport, answer.json)

    def run(self, run_id: str) -> Run:
        return Run(self._transport, self.get(f"/v1/runs/{run_id}"))

    def upload(self, file: Path | str, **options: Any) -> dict[str, Any]:
        """Send a file to be imported, which a worker does: see `wait_for_import`.

        `options` are the operation's: kind, instrument, portfolio, as_of, mode, dry_run.
        """
        path = Path(file)
        answer = self._transport.send(
            "POST",
            "/v1/imports",
            content=path.read_bytes(),
            query={"filename": path.name, **options},
            headers={"Content-Type": "application/octet-stream"},
        )
        imported: dict[str, Any] = answer.json
        return imported

    def wait_for_import(self, import_id: str, timeout: float = 300.0) -> dict[str, Any]:
        """Wait until a file has been judged; `ImportNotOver` after `timeout` seconds.

        A refused file is no exception: `status` is refused, `rows` says how many were in it, and
        `pages(f"/v1/imports/{import_id}/errors")` why.
        """
        deadline = time.monotonic() + timeout
        pause = 0.1
        while True:
            imported: dict[str, Any] = self.get(f"/v1/imports/{import_id}")
            if imported["status"] in _IMPORT_OVER:
                return imported
            if time.monotonic() + pause > deadline:
                raise ImportNotOver(
                    f"{import_id} is {imported['status']} after {timeout:g} seconds"
                )
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)
