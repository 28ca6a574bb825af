# ruff: noqa: E501  # a table: one line per problem type
"""The registry of problem types: one line per code, and the document made of it (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/problem+json"
#: Seconds after which a retryable refusal is worth repeating, where nobody knows better.
RETRY_AFTER = {
    "idempotency-in-progress": "1",
    "service-degraded": "5",
    "statement-timeout": "5",
    "run-not-finished": "1",
}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of refusal: what it is called, its status, and what the caller can do."""

    code: str
    status: int
    title: str
    advice: str
    retryable: bool = False
    #: Where a standard names the type; ours lead to their pages.
    registered: str = ""

    @property
    def url(self) -> str:
        return f"/v1/errors/{self.code}"

    @property
    def uri(self) -> str:
        return self.registered or self.url


_REGISTRY = "https://iana.org/assignments/http-problem-types"

_TYPES = (
    # The protocol
    ProblemType("malformed-request", 400, "Malformed request", "Read `detail`; the request could not be understood."),
    ProblemType("malformed-json", 400, "Malformed JSON", "Send one JSON value in UTF-8, without NaN or Infinity; `detail` names the place."),
    ProblemType("duplicate-key", 400, "Duplicate key in a JSON object", "Name each member once: which of two values was meant cannot be known."),
    ProblemType("json-too-deep", 400, "JSON nested too deeply", "Nest at most 32 levels."),
    ProblemType("json-too-large", 400, "JSON with too many values", "Split the request; `detail` has the limit."),
    ProblemType("bad-number", 400, "Number out of range", "Numbers are finite, of at most 40 digits, with exponents between -30 and 30."),
    ProblemType("bad-encoding", 400, "Bad encoding", "Send UTF-8 without NUL characters or lone surrogates in path, query, headers and body."),
    ProblemType("unknown-host", 400, "Unknown host", "Call the service by its name; operators list its names in RISK_ALLOWED_HOSTS."),
    ProblemType("bad-header", 400, "Malformed header", "`detail` names the header and its form."),
    ProblemType("unknown-field", 400, "Unknown field", "Remove the field or take one of the suggestions; nothing is ever ignored."),
    ProblemType("unknown-parameter", 400, "Unknown query parameter", "Remove the parameter or take one of the suggestions; nothing is ever ignored."),
    ProblemType("bad-parameter", 400, "Bad query parameter", "`errors` names the parameter and what it accepts."),
    ProblemType("unknown-member", 400, "Unknown member", "Take one of the suggestions: `fields`, `omit` and `expand` name members of the answer as the schema shows them."),
    ProblemType("bad-cursor", 400, "Bad cursor", "Start again without `cursor`; cursors hold for one list with the same filters and cannot be made by hand."),
    ProblemType("validation-error", 400, "The request is not valid", "`errors` names each field and what it accepts."),
    ProblemType("value-out-of-range", 400, "Value out of range", "A value is larger than can be stored."),
    ProblemType("credential-in-url", 400, "Credential in the URL", "Send the key in the Authorization header and revoke this one: URLs end up in logs."),
    ProblemType("idempotency-key-required", 400, "Idempotency-Key required", "Send a new key for each intended effect and repeat it with each retry."),
    ProblemType("bad-idempotency-key", 400, "Malformed Idempotency-Key", "Send 1 to 255 visible ASCII characters, for example a UUID."),
    ProblemType("authentication-required", 401, "Authentication required", "Send `Authorization: Bearer rk_live_...`."),
    ProblemType("invalid-api-key", 401, "Invalid API key", "Check that the key was copied whole and has not been revoked."),
    ProblemType("expired-api-key", 401, "Expired API key", "Ask for a new key."),
    ProblemType("expired-access-token", 401, "Expired access token", "Tokens last 15 minutes: get another at /oauth/token."),
    ProblemType("certificate-required", 401, "Client certificate required", "The key is bound to a client certificate: make the connection with that one."),
    ProblemType("insufficient-scope", 403, "Insufficient scope", "Ask for a key with the scope in `required_scope`."),
    ProblemType("address-not-allowed", 403, "Address not allowed", "The key is bound to networks; call from one of them or have it changed."),
    ProblemType("refused", 403, "Refused", "The caller may not do this."),
    ProblemType("not-found", 404, "Not found", "Check the id or the path: it does not exist, or is not yours."),
    ProblemType("method-not-allowed", 405, "Method not allowed", "The Allow header lists the methods."),
    ProblemType("not-acceptable", 406, "Not acceptable", "Accept one of the types in `detail`: every answer is there as application/json, lists and results as files too."),
    ProblemType("conflict", 409, "Conflict", "The object's state does not allow this now; read it again."),
    ProblemType("duplicate-external-id", 409, "external_id in use", "Another portfolio of yours has this external_id; look it up with ?external_id=."),
    ProblemType("duplicate-symbol", 409, "Symbol in use", "An instrument of yours has this symbol."),
    ProblemType("idempotency-in-progress", 409, "The same request is running", "Repeat after the time in Retry-After.", retryable=True),
    ProblemType("length-required", 411, "Content-Length required", "Send the body whole, with its Content-Length."),
    ProblemType("stale-version", 412, "Stale version", "Read the object again, decide again, and send its current ETag in If-Match."),
    ProblemType("payload-too-large", 413, "Request too large", "Bodies hold 1 MB, uploads 20 MB, forms at /oauth 100 kB."),
    ProblemType("unsupported-media-type", 415, "Unsupported media type", "Send a type that the operation takes: application/json, but for uploads and the forms at /oauth; /v1/docs lists them. `Content-Encoding` is read of uploads alone."),
    ProblemType("precondition-required", 428, "If-Match required", "Read the object and send its ETag in If-Match."),
    ProblemType("idempotency-key-reused", 422, "Idempotency-Key of another request", "Take a new key for a new request."),
    ProblemType("quota-exceeded", 429, "Quota exceeded", "Wait as long as Retry-After says; `violated-policies` names the quota and RateLimit what is left of each. Ask the operator for more.", retryable=True, registered=f"{_REGISTRY}#quota-exceeded"),
    ProblemType("too-many-bad-keys", 429, "Too many bad credentials from this address", "Stop the program that sends them; its key is mistyped, expired or revoked. Good credentials from this address go on working.", retryable=True, registered=f"{_REGISTRY}#abnormal-usage-detected"),
    ProblemType("internal-error", 500, "Internal error", "Ours; it has been logged under `request_id`.", retryable=True),
    ProblemType("service-degraded", 503, "Service degraded", "A part of the service is away; repeat after the time in Retry-After. Keyed requests have one effect however often repeated.", retryable=True),
    ProblemType("statement-timeout", 503, "Too slow", "The request took the database too long; narrow it or repeat it later.", retryable=True),
    # The domain
    ProblemType("invalid-request", 422, "The request makes no sense", "`detail` and `errors` say why."),
    ProblemType("unknown-instrument", 422, "Unknown instrument", "Take one of the suggestions, or add the instrument with POST /v1/instruments."),
    ProblemType("unknown-portfolio", 422, "Unknown portfolio", "Take ids from GET /v1/portfolios; it does not exist, or is not yours."),
    ProblemType("ambiguous-instrument", 422, "Instrument named twice", "Name each instrument once."),
    ProblemType("duplicate-instrument", 422, "Instrument named twice", "Name each instrument once: sum its quantities."),
    ProblemType("not-a-session", 422, "Not a trading session", "Take `previous_session`, or say roll=previous."),
    ProblemType("future-date", 422, "Date in the future", "Facts are recorded once they have happened."),
    ProblemType("implausible-jump", 422, "Implausible price jump", "Record the split or distribution first, correct the price, or confirm it with confirm_jump."),
    ProblemType("conflicting-rows", 422, "Rows contradict each other", "Send one row per instrument and session."),
    ProblemType("inconsistent-bar", 422, "Inconsistent prices", "low <= open, close <= high."),
    ProblemType("shared-instrument", 403, "Shared instrument", "Terms of a shared instrument are kept by the operator; add an instrument of your own."),
    ProblemType("quote-time-unknown", 422, "Quotes without a time", "Name the file SYMBOL_YYYY-MM-DD.csv, or send a snapshots.csv with it."),
    ProblemType("kind-not-importable", 422, "Kind of file not importable", "Shared reference data is loaded by the operator."),
    ProblemType("total-return-basis-conflict", 422, "Another total-return history", "Upload the whole history of the instrument."),
    ProblemType("too-many-sets", 422, "Too many sets of positions", "Split the file: at most 1,000 portfolios and dates go into one."),
    ProblemType("export-too-large", 422, "Too much for a file", "Narrow the list by the filters in `suggestion`, or take another format."),
    ProblemType("market-data-missing", 422, "Market data missing", "Load the prices, rates or terms named, and ask again."),
    ProblemType("too-many-keys", 409, "Two live keys of this name", "Revoke one of them, or give the new key another name."),
    ProblemType("unknown-scope", 422, "Unknown scope", "`detail` names it."),
    ProblemType("bad-network", 422, "Not a network", "Write networks as address/length."),
    ProblemType("webhook-url-refused", 422, "URL not called", "Take an https URL on port 443 whose host is named in full and resolves to public addresses alone."),
    ProblemType("too-many-webhook-secrets", 409, "Too many webhook secrets", "Use the latest secret; rotate again when the oldest of the former ones is over, at `oldest_valid_until`."),
    ProblemType("too-many-webhook-endpoints", 409, "Too many webhook endpoints", "Delete one, or have one hear of more events."),
    ProblemType("webhook-endpoint-disabled", 409, "Webhook endpoint disabled", "Enable it with PATCH, then ask again."),
    ProblemType("webhooks-not-configured", 503, "No webhooks here", "Ask the operator to set RISK_WEBHOOK_KEY; meanwhile read GET /v1/events."),
    ProblemType("unknown-event", 422, "Unknown event", "Read on from an event of the last 30 days, or without `after` from the first."),
    ProblemType("domain-error", 422, "Refused", "`detail` says why."),
    # Analyses
    ProblemType("insufficient-history", 422, "Insufficient history", "Load more prices or shorten the window; nothing is extrapolated."),
    ProblemType("no-semiconductor-benchmark", 422, "No semiconductor benchmark", "Name one in the request or set the portfolio's."),
    ProblemType("zero-variance", 422, "A series does not move", "A statistic of a constant series means nothing; choose another series."),
    ProblemType("degenerate-input", 422, "Nothing to divide by", "`detail` and `context` say which figure has no meaning here, as after a fund was wiped out."),
    ProblemType("stale-price", 422, "Stale price", "Load the missing sessions or raise max_price_age_sessions."),
    ProblemType("missing-fx", 422, "Missing exchange rate", "Load the pair and sessions named."),
    ProblemType("leverage-terms-gap", 422, "No leverage terms", "Record the multiple and index for the dates named."),
    ProblemType("no-positions", 422, "No positions", "Send positions dated on or before `as_of`."),
    ProblemType("missing-price", 422, "No price", "Load prices of the instruments named, or give them a proxy."),
    ProblemType("bad-window", 422, "Bad window", "`errors` says which bound is broken."),
    ProblemType("bad-known-at", 422, "known_at in the future", "Leave it out for now, or name a time that has been."),
    ProblemType("policy-pending", 409, "A change waits for approval", "Approve or reject `pending_version` before proposing another."),
    ProblemType("policy-not-pending", 409, "Not waiting for approval", "Read the policy: its `pending` says which version waits, if any."),
    ProblemType("second-person-required", 403, "A second person is required", "Approve with a key or OAuth client of another name than the one that proposed the change: those of one name are one holder's."),
    ProblemType("method-not-served", 422, "Method version not served", "Take the suggestion; a policy pinned to a former version needs a new approval."),
    ProblemType("unknown-policy", 422, "Unknown policy", "Take one of the suggestions."),
    ProblemType("not-a-leveraged-fund", 422, "Not a leveraged fund", "Name a fund with leverage terms, or record its terms."),
    ProblemType("no-leveraged-fund", 422, "No leveraged fund", "The portfolio holds none: name an instrument."),
    ProblemType("hedge-not-held", 422, "Hedge not held", "Say the quantity of the hedging position."),
    ProblemType("empty-hedged-item", 422, "Nothing to hedge", "Name a tag or instruments that the portfolio holds apart from the hedge."),
    ProblemType("no-exposure", 422, "No exposure", "A position of no exposure hedges nothing and needs no hedge."),
    ProblemType("nav-not-positive", 422, "Net asset value not positive", "Check cash and short positions: weights over such a value mean nothing."),
    ProblemType("invalid-input", 422, "Input out of range", "`detail` names the input and its range."),
    ProblemType("not-representable", 422, "Result out of range", "Finite inputs overflowed; check their scale."),
    ProblemType("quarantined", 500, "Computation given up", "Ours; it has been logged. Ask again with force once it is mended."),
    ProblemType("report-busy", 409, "Report being made", "Repeat after the time in Retry-After.", retryable=True),
    ProblemType("run-not-finished", 409, "Run not finished", "Repeat after the time in Retry-After.", retryable=True),
    ProblemType("run-canceled", 410, "Run canceled", "Ask for the analysis again."),
)  # fmt: skip

PROBLEMS: dict[str, ProblemType] = {kind.code: kind for kind in _TYPES}


def problem_type(code: str, status: int) -> ProblemType:
    """The registered type, or one made of the code for a refusal nobody has described yet."""
    known = PROBLEMS.get(code)
    if known is not None:
        return known
    return ProblemType(code, status, code.replace("-", " ").capitalize(), "`detail` says why.")


def problem_document(
    kind: ProblemType,
    *,
    detail: str,
    instance: str,
    request_id: str,
    errors: Sequence[Mapping[str, Any]] = (),
    context: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a refusal. Members of `context` never replace the standard ones."""
    return {
        **(context or {}),
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "code": kind.code,
        "request_id": request_id,
        "errors": [dict(error) for error in errors],
        "docs": kind.url,
        "retryable": kind.retryable,
    }
