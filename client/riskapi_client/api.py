"""The service, as a caller uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from riskapi_client.runs import Run
from riskapi_client.transport import Transport

#: The longest that the service lets a request for an analysis wait.
_LONGEST_WAIT = 20


class RiskApi:
    """A connection to one service for one key (or one OAuth2 client).

    `get`, `post`, `put`, `patch` and `delete` reach every operation of `/v1/docs` and answer with
    the body; the methods with names are what is needed every day.
    """

    def __init__(self, url: str, **options: Any) -> None:
        """`url` of the service, `key` or `client_id` and `client_secret`, `patience` in seconds."""
        self._transport = Transport(url, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._transport.send("GET", path, query=query).json

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
        """`if_match`: the ETag of the version that the change is based on."""
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
        """Send a file to be imported; the answer's id names the import, which a worker does."""
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
