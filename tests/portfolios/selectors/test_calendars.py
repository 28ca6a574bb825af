"""Sessions of the exchange."""

from __future__ import annotations

from datetime import date

import exchange_calendars
import pytest

from analytics.engine.beta import VENUE_CLOSE_UTC
from portfolios.errors import InvalidRequest
from portfolios.selectors.calendars import VENUES, require_session, sessions_between


def test_every_venue_has_sessions_and_a_closing_hour() -> None:
    names = set(exchange_calendars.get_calendar_names(include_aliases=True))
    assert set(VENUES) <= names & VENUE_CLOSE_UTC.keys()
    assert len(set(VENUES)) == len(VENUES)


def test_thanksgiving_week_has_four_sessions() -> None:
    found = sessions_between("XNYS", date(2026, 11, 23), date(2026, 11, 29))
    assert [day.day for day in found] == [23, 24, 25, 27]


def test_closed_day_rolls_back_when_asked() -> None:
    assert require_session("XNYS", date(2026, 11, 26), roll=True) == date(2026, 11, 25)
    with pytest.raises(InvalidRequest) as refusal:
        require_session("XNYS", date(2026, 11, 26))
    assert refusal.value.context["previous_session"] == "2026-11-25"


@pytest.mark.parametrize("day", [date.min, date(1989, 12, 29), date.max])
def test_day_beyond_the_calendar_is_refused(day: date) -> None:
    with pytest.raises(InvalidRequest, match="reaches from 1990-01-02"):
        require_session("XNYS", day, roll=True)
