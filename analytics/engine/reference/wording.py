"""What a row asks for, read from the text of its method.

Ids come first: their prefix names the family and their rest the output. A row under an id that
nobody has seen is read by its method, so the same question gets the same answer under any id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analytics.engine.reference.rows import ReferenceRow

_Patterns = tuple[tuple[str, str], ...]

#: Text of the method -> family, the first that is found.
_FAMILIES: _Patterns = (
    (r"kalman|local level", "B14"),
    (r"newey-west hac|multi-factor ols|polynomial ols", "B02"),
    (r"own calendar|missing asset price", "B19"),
    (r"rolling.*beta", "B06"),
    (r"semiconductor beta \(univariate\)", "B04"),
    (r"two-factor|frisch-waugh|omitted variable|variance inflation|joint semi|^univariate", "B13"),
    (r"portfolio beta, sqrt|usual wrong se|se of the portfolio beta", "B17"),
    (r"newey-west se|semiconductor beta|lag length|durbin-watson", "B04"),
    (r"standard error of beta|of the beta regression|ols beta|t statistic of beta", "B04"),
    (r"ewma beta|half-life|effective number of obs", "B05"),
    (r"blume|bloomberg", "B07"),
    (r"vasicek", "B08"),
    (r"^population", "B11"),
    (r"dimson", "B09"),
    (r"scholes-williams", "B10"),
    (r"downside beta|upside beta|bawa-lindenberg|mean of the index", "B12"),
    (r"\bols\b", "B01"),
    (r"contributions? (of|to)\b(?!.*\bes\b)|sum of contributions", "B16"),
    (r"look-through|same book|option beta", "B15"),
    (r"n-day beta|intraday multiple", "B18"),
    (r"n-day.*(effectiveness|dollars)|one-third hedge", "H09"),
    (r"regression effectiveness|r2>=", "H05"),
    (r"dollar-offset ratio lands|one-period test", "H07"),
    (r"dollar offset|periods (in|out)side", "H06"),
    (r"out-of-sample|variance reduction|(var|es)\d* reduction|semi-var|dollars of the -", "H08"),
    (r"effectiveness (at naive|at h=|can be)|no h does better", "H02"),
    (r"minimum-variance hedge|ederington|correlation of the changes", "H01"),
    (r"number of contracts", "H03"),
    (r"futures to", "H04"),
    (r"coverage|continuous version|same for a -1x fund after", "H10"),
    (r"cost per", "H11"),
    (r"prospectus grid", "L01"),
    (r"implied integrated variance|regulators' example", "L02"),
    (r"fund over (an )?index|x fund over", "L03"),
    (r"log drag (coefficient|per year)", "L04"),
    (r"exact discrete decomposition|sum of the five parts", "L05"),
    (r"split of compounding|-order (app|term)|trend minus chop|log drag|realised var", "L06"),
    (r"variance ratio", "L06"),
    (r"gbm", "L07"),
    (r"p\(fund loses\)|same, \d+ days", "L08"),
    (r"break-even", "L09"),
    (r"index move implied|share of that log loss", "L16"),
    (r"multiplier m\(m-1\)|aggregate flow|rebalancing demand", "L10"),
    (r"net creations|cancels the rebalance|redemptions", "L11"),
    (r"share of (closing|volume)|square-root impact|days to cover", "L12"),
    (r"synthetic bull", "L13"),
    (r"bootstrap|block length", "L14"),
    (r"split factor", "L15"),
    (r"stress of|alternating", "V09"),
    (r"normal (var|es)", "V01"),
    (r"weighted (var|es)|time weight", "V03"),
    (r"component var|components sum to var", "V04"),
    (r"component es|components sum to es|historical (var|es)\d* of .*\+", "V04b"),
    (r"historical (var|es)\d*( of| with)|fhs|filtered historical", "V07"),
    (r"historical (var|es)", "V02"),
    (r"kupiec|christoffersen", "V05"),
    (r"basel", "V06"),
    (r"cornish", "V08"),
    (r"\brsi\b", "T01"),
    (r"\batr\b", "T02"),
    (r"bollinger", "T03"),
    (r"\bema\b|macd", "T04"),
    (r"hhi|effective number", "C01"),
    (r"leadership", "C02"),
    (r"hamilton filter", "R02"),
    (r"hamilton", "R01"),
    (r"parity", "O04"),
    (r"straddle", "O06"),
    (r"event vol", "O07"),
    (r"implied vol", "O08"),
    (r"delta hedge|premium of that|for the same delta", "O09"),
    (r"hedges at equal", "O10"),
    (r"out-of-the-money|\bput lost\b", "O05"),
    (r"\bbsm\b|calendar day", "O02"),
    (r"vader", "S01"),
    (r"lexicon|no hits", "S02"),
    (r"finbert", "S03"),
)

_FIT: _Patterns = (
    (r"(error|\bse) of (the )?intercept", "se_intercept"),
    (r"p-value", "p_slope"),
    (r"standard error|\bse\b", "se_slope"),
    (r"\br2\b|r-squared", "r2"),
    (r"residual s", "resid_sd"),
    (r"intercept|alpha", "intercept"),
    (r"slope", "slope"),
)

#: Family -> text of the method -> output, the first that is found.
_OUTPUTS: dict[str, _Patterns] = {
    "B01": _FIT,
    "B04": (
        (r"lag (length|rule)", "lag-rule"),
        (r"(newey|hac)(?!.*no small).*(n/\(n-k\)|small[- ]sample)", "hac-ss"),
        (r"newey|hac", "hac"),
        (r"durbin", "dw"),
        (r"\br2\b", "r2"),
        (r"alpha|intercept", "intercept"),
        (r"t stat", "t_slope"),
        (r"standard error|\bse\b", "se"),
        (r"beta", "beta"),
    ),
    "B05": (
        (r"normali[sz]ed", "norm"),
        (r"seeded with the first|recursi", "rec"),
        (r"half-life", "hl"),
        (r"effective", "neff"),
    ),
    "B06": (
        (r"before the first", "null"),
        (r"standard error.*first", "se-first"),
        (r"standard error", "se-last"),
        (r"first full", "first"),
        (r"last", "last"),
        (r"null", "null"),
    ),
    "B07": ((r"bloomberg|vendor", "bbg"), (r"blume", "blume")),
    "B08": ((r"sd\b|standard dev", "sd"), (r"weight", "weight"), (r"beta|limit", "beta")),
    "B09": ((r"hac", "hac"), (r"^se\b|standard error", "se"), (r"dimson", "sum")),
    "B10": ((r"^scholes", "sw"), (r"autocorr", "rho")),
    "B11": ((r"day before|lag", "lag"), (r"dimson", "dimson"), (r"same", "same")),
    "B12": (
        (r"minus|difference", "diff"),
        (r"bawa|co-lower", "bl"),
        (r"co-upper", "bl-up"),
        (r"downside", "down"),
        (r"upside", "up"),
    ),
    "B13": (
        (r"frisch", "fwl"),
        (r"omitted", "ovb"),
        (r"inflation", "vif"),
        (r"condition", "cond"),
        (r"\br2\b", "r2"),
        (r"standard error.*market", "se_mkt"),
        (r"standard error", "se_semi"),
        (r"univariate semi", "uni"),
        (r"semi", "semi"),
        (r"market", "mkt"),
    ),
    "B14": (
        (r"difference|equals", "diff"),
        (r"likelihood(?!.*variance)", "ll"),
        (r"variance of the last", "p"),
        (r"level|beta", "level"),
    ),
    "B15": (
        (r"ignored|headline", "headline"),
        (r"contribution of (\w+)", r"\1"),
        (r"option beta|look", "look"),
    ),
    "B17": ((r"wrong|ignored", "naive"), (r"identity|minus", "gap"), (r"\bse\b", "se")),
    "B19": ((r"wrong|peer rule", "wrong"), (r"beta", "right")),
    "H01": (
        (r"effectiveness", "he"),
        (r"correlation", "rho"),
        (r"hedge ratio", "hstar"),
    ),
    "H02": ((r"no h does better", "max"),),
    "H05": ((r"pass=1.*|verdict", "verdict"), *_FIT),
    "H06": (
        (r"cumulative", "cum"),
        (r"inside", "per-pass"),
        (r"outside", "per-fail"),
    ),
    "H07": ((r"fail", "fail"), (r"lands", "pass")),
    "H08": (
        (r"out-of-sample", "oos"),
        (r"dollars", "h"),
        (r"semi-?var", "semivar"),
        (r"\bes\d*\b", "es"),
        (r"\bvar\d*\b", "var"),
        (r"variance reduction", "he"),
    ),
    "H09": (
        (r"one-third|1/3", "third"),
        (r"effectiveness", "he"),
        (r"dollars|ratio", "h"),
        (r"beta", "beta"),
    ),
    "H10": ((r"continuous|approx", "approx"), (r"rebalanc|trades", "rebal"), (r".", "ratio")),
    "H11": ((r"volatility", "costvol"), (r"cost", "cost")),
    "L05": ((r"realised fund return|sum of the", "total"),),
    "L06": (
        (r"convexity", "convexity"),
        (r"variance cost", "variance"),
        (r"third-order", "logdrag3"),
        (r"second-order", "logdrag2"),
        (r"exact log drag", "logdrag"),
        (r"trend", "trendchop"),
        (r"variance ratio", "vr"),
        (r"error of realised", "rvse"),
        (r"realised variance", "rv"),
    ),
    "L07": ((r"median", "median"), (r"expected|mean", "mean")),
    "L10": ((r"aggregate flow", "tuzun"),),
    "L11": ((r"cancels|redemptions", "fstar"), (r"demand", "flow")),
    "L12": ((r"impact", "impact"), (r"days", "days"), (r"share", "share")),
    "L14": ((r"circular.*block length|block length.*circular", "cb"),),
    "L16": ((r"share.*direction", "share-dir"), (r"share", "share"), (r"index move", "r")),
    "V01": ((r"\bes\b|shortfall", "es"), (r"quantile|var", "z")),
    "V02": ((r"\bes\d*\b", "es"), (r"\bvar\d*\b", "var")),
    "V03": ((r"time weight", "w"), (r"\bes\d*\b", "es"), (r"\bvar\d*\b", "var")),
    "V04": (
        (r"sum to", "euler"),
        (r"first leg", "comp_1"),
        (r"second leg", "comp_2"),
    ),
    "V04b": ((r"sum to", "gap"), (r"component es", "c"), (r"\bes\d*\b", "es"), (r"var", "var")),
    "V05": (
        (r"upper", "hi"),
        (r"lower", "lo"),
        (r"p-value", "lr-p"),
        (r"likelihood|statistic", "lr"),
    ),
    "V06": ((r"addition|multiplier", "plus"), (r"zone", "zone"), (r"cumulative", "basel")),
    "V07": (
        (r"(fhs|filtered).*difference", "fhs-lim"),
        (r"filtered.*\bes\d*\b", "fhs-es"),
        (r"filtered", "fhs"),
        (r"linear", "hs-lin"),
        (r"\bes\d*\b", "hs-es"),
        (r"\bvar\d*\b", "hs"),
    ),
    "V08": ((r"quantile", "cf"), (r"cornish", "cf")),
    "T03": (
        (r"middle.*index (\d+)", r"bb-mid-\1"),
        (r"middle", "bb-mid"),
        (r"upper", "bb-up"),
        (r"lower", "bb-lo"),
    ),
    "T04": (
        (r"macd.*signal", "macd-signal"),
        (r"macd.*histogram", "macd-hist"),
        (r"macd", "macd"),
        (r"\bema\b", "ema"),
        (r"\bsma\b", "sma"),
    ),
    "C01": (
        (r"hhi|herfindahl", "hhi"),
        (r"entropy", "nent"),
        (r"effective number", "neff"),
    ),
    "R01": ((r"log sigma", "logsigma"),),
    "O02": (
        (r"theta per calendar day", "theta-day"),
        (r"price c\b|^bsm call(?! greek)", "call"),
        (r"price p\b|^bsm put", "put"),
    ),
    "O04": ((r"parity", "parity"),),
    "O05": ((r"lost", "bleed"),),
    "O06": ((r"brenner", "bs88"), (r"straddle", "straddle")),
    "O09": ((r"premium", "premium"), (r"contracts", "contracts")),
}
_OUTPUTS["O01"] = _OUTPUTS["O03"] = _OUTPUTS["O02"]
_WORDS_OF_AN_OUTPUT = 3


def family_of(row: ReferenceRow) -> str | None:
    """Return the family whose method the text describes."""
    text = row.method.lower()
    return next((family for pattern, family in _FAMILIES if re.search(pattern, text)), None)


def outputs_of(row: ReferenceRow, family: str) -> Iterator[str]:
    """Yield what the row may ask for, the likeliest first."""
    if "output" in row.inputs:
        yield row.output
        return
    yield row.output
    text = row.method.lower().strip()
    last = re.split(r"[\s,;:]\s*", text.rpartition(": ")[2])
    if ": " in text and len(last) <= _WORDS_OF_AN_OUTPUT:
        yield "_".join(last)
    for pattern, output in _OUTPUTS.get(family, ()):
        match = re.search(pattern, text)
        if match is not None:
            yield match.expand(output)
            break
    parts = row.output.split("-")
    yield from ("-".join(parts[at:]) for at in range(1, len(parts)))
    yield from ("-".join(parts[:at]) for at in range(len(parts) - 1, 0, -1))
