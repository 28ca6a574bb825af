"""The service behind a proxy of this machine that ends TLS."""

from riskapi.settings import *  # noqa: F403  # settings are names in a module

CERTIFICATE_PROXIES = ["127.0.0.1/32"]
