"""What a lot will be like, judged by what it was like."""

from __future__ import annotations

import io
import math
import random
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from reports import forecast
from reports.forecast import A_DAY, A_WEEK

START = forecast.slot(datetime(2027, 3, 1, tzinfo=UTC), ZoneInfo("UTC"))  # a Monday, midnight


def daily(number: int) -> float:
    """Empty at night, half full at noon, on weekdays."""
    is_weekend = (number - START) // A_DAY % 7 >= 5
    return 0.0 if is_weekend else 0.25 - 0.25 * math.cos(number % A_DAY / A_DAY * 2 * math.pi)


def lived(weeks: int, more: float = 0.0) -> dict[int, float]:
    """Weeks before START, each `more` fuller than the one before it."""
    first = START - weeks * A_WEEK
    return {n: daily(n) + 0.1 + more * ((n - first) // A_WEEK) for n in range(first, START)}


def test_a_lot_that_is_always_alike_is_known_to_the_spot():
    week = range(START, START + A_WEEK)

    found = forecast.forecast(lived(4), week, known_until=START)

    assert len(found) == A_WEEK
    assert all(abs(found[n].share - daily(n) - 0.1) < 1e-9 for n in week)
    assert max(expected.spread for expected in found.values()) < 1e-9


def test_one_odd_week_does_not_mislead():
    history, noon = lived(6), START + A_DAY // 2
    history[noon - 2 * A_WEEK] = 1.0

    found = forecast.forecast(history, [noon], known_until=START)[noon]

    assert found.share == pytest.approx(0.6, abs=0.02)
    assert found.spread > 0.05


def test_the_latest_week_counts_in_part_as_it_was():
    history, noon = lived(6), START + A_DAY // 2
    history[noon - A_WEEK] = 1.0

    found = forecast.forecast(history, [noon], known_until=START)[noon]

    assert found.share == pytest.approx(0.6 + 0.3 * 0.4, abs=0.02)


def test_the_level_is_that_of_the_latest_week():
    noon = START + A_DAY // 2

    found = forecast.forecast(lived(6, more=0.03), [noon], known_until=START)[noon]

    assert found.share == pytest.approx(0.6 + 5 * 0.03, abs=0.02)


def test_an_unusual_present_counts_now_and_fades():
    history, noon = lived(6), START + A_DAY // 2
    history |= {n: daily(n) + 0.3 for n in range(START, noon)}

    found = forecast.forecast(history, [noon, noon + 24, noon + A_WEEK - 1], known_until=noon)

    off = [found[n].share - daily(n) - 0.1 for n in found]
    assert off[0] == pytest.approx(0.2, abs=0.01)
    assert off[0] > off[1] > 0.1


def test_nothing_that_was_still_to_come_is_used():
    history, noon = lived(4), START + A_DAY // 2
    week = range(noon, noon + A_WEEK)
    before = forecast.forecast(history, week, known_until=noon)

    history |= dict.fromkeys(range(noon, noon + 2 * A_WEEK), 1.0)

    assert forecast.forecast(history, week, known_until=noon) == before


def test_of_a_new_lot_nothing_is_said_and_soon_its_days_are_alike():
    assert forecast.forecast({}, [START], known_until=START) == {}

    tuesday = START + A_DAY + 48
    history = {n: daily(n) for n in range(START, START + A_DAY)}
    found = forecast.forecast(history, [tuesday], known_until=START + A_DAY)

    assert found[tuesday].share == pytest.approx(0.5, abs=0.01)
    weekend = START + 5 * A_DAY + 48
    assert forecast.forecast(history, [weekend], known_until=START + A_DAY) == {}


def test_a_wall_clock_hour_stays_the_same_over_a_change_of_the_clocks():
    berlin = ZoneInfo("Europe/Berlin")
    winter, summer = datetime(2027, 3, 24, 7, tzinfo=UTC), datetime(2027, 3, 31, 6, tzinfo=UTC)

    assert forecast.slot(summer, berlin) - forecast.slot(winter, berlin) == A_WEEK


def test_readings_are_joined_by_lines_but_not_over_gaps():
    assert forecast.on_grid([(10.5, 0.2), (12.5, 0.4), (30.0, 0.9)]) == pytest.approx(
        {10: 0.2, 11: 0.25, 12: 0.35, 30: 0.9}
    )


def file_of(path: Path, weeks: int) -> Path:
    """A lot of 100 whose days are alike but for chance."""
    rows = ["lot,at,occupied,capacity"]
    noise = random.Random(1)
    for number in range(weeks * A_WEEK):
        at = (forecast.EPOCH + (START + number) * forecast.QUARTER).replace(year=2025)
        rows.append(f"here,{at.isoformat()},{round(100 * daily(START + number)) + noise.randint(2, 18)},100")
    path.write_text("\n".join(rows))
    return path


def test_the_score_is_of_weeks_the_forecast_has_not_seen(tmp_path):
    out = io.StringIO()
    call_command("score_forecast", str(file_of(tmp_path / "f.csv", 8)), held_out_weeks=3, stdout=out)

    rows, result = out.getvalue().splitlines()
    assert rows == "5376 rows, 0 refused."
    assert result.startswith("3 weeks, 1 lots: 2016 quarter hours, off by ")
    ours, theirs = (float(result.split(word)[1].split()[0]) for word in ("off by ", "last week by "))
    assert ours < theirs * 0.9


@pytest.mark.parametrize("options", [{"held_out_weeks": 0}, {"timezone": "Nowhere"}])
def test_a_score_of_nothing_is_refused(tmp_path, options):
    with pytest.raises(CommandError):
        call_command("score_forecast", str(file_of(tmp_path / "f.csv", 1)), **options)
