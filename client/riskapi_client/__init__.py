"""Client of RiskAPI.

>>> from riskapi_client import RiskApi
>>> risk = RiskApi("https://risk.example", key="rk_live_...")      # doctest: +SKIP
>>> run = risk.analyze("semiconductor-beta", portfolio="pf_...")   # doctest: +SKIP
>>> run.wait().figure("beta_nav")                                  # doctest: +SKIP
Figure(value=0.66, unit='1', se=0.0101, ci95=(0.639, 0.681), n_obs=252)
"""

from riskapi_client.api import RiskApi
from riskapi_client.credentials import PrivateKey
from riskapi_client.errors import ApiError, ImportNotOver, RunNotOver, TransportError, UnitFailed
from riskapi_client.figures import Figure
from riskapi_client.runs import Run
from riskapi_client.webhooks import InvalidSignature, verify_webhook

__all__ = [
    "ApiError",
    "Figure",
    "ImportNotOver",
    "InvalidSignature",
    "PrivateKey",
    "RiskApi",
    "Run",
    "RunNotOver",
    "TransportError",
    "UnitFailed",
    "verify_webhook",
]
