"""Logging filters."""

from __future__ import annotations

import logging
import re

from portfolios.correlation import correlation

_KEY_PATTERN = re.compile(r"\b(r[kst]_(?:live|test)_[0-9A-Za-z]{8}|whsec)_[0-9A-Za-z_+/=]+")


class RedactKeysFilter(logging.Filter):
    """Cut the secret part of API keys and webhook secrets out of every log line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        redacted = _KEY_PATTERN.sub(r"\1_[redacted]", message)
        if redacted != message:
            record.msg, record.args = redacted, None
        return True


class CorrelationFilter(logging.Filter):
    """Say in every log line which request it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        names = correlation()
        record.correlation = "".join(
            f" {name}={value}"
            for name in ("request_id", "client_request_id", "traceparent")
            if (value := getattr(names, name))
        )
        return True
