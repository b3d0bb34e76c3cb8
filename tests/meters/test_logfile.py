"""Logs that meters wrote, in the formats they write, and the clocks behind them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from evalsuite.errors import InputError
from evalsuite.meters.logfile import clock_offset_s, read_log
from evalsuite.meters.source import MeterError

FNB58 = "timestamp sample_in_packet voltage_V current_A dp_V dn_V temp_C_ema energy_Ws capacity_As"
FNB58_ROW = "1774531584.029 0 5.02325 0.05776 3.035 0.072 28.200 0.002901 0.000578"
NOON = datetime(2026, 3, 26, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def log(tmp_path):
    def write(*lines, name="meter.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def fnb58_rows(count, *, energy_j=0.002901):
    """Rows of 10 ms at 5.02325 V and 0.05776 A."""
    return [
        f"{1774531584.029 + 0.01 * k:.3f} {k % 4} 5.02325 0.05776 3.035 0.072 28.200 {energy_j * (k + 1):.6f} 0.000578"
        for k in range(count)
    ]


def test_the_log_of_an_fnb58_is_read(log):
    """The logger begins with an empty line."""
    rows = fnb58_rows(12)
    assert rows[0] == FNB58_ROW
    read = read_log(log("", FNB58, *rows))
    assert (read.format, read.skipped, read.reasons) == ("fnb58", 0, ())
    assert read.times_s == pytest.approx(1774531584.029 + 0.01 * np.arange(12), abs=1e-6)
    assert read.power_w == pytest.approx(np.full(12, 5.02325 * 0.05776))
    assert read.energy_j == pytest.approx(0.002901 * np.arange(1, 13))
    assert read.times_s.dtype == read.power_w.dtype == np.float64


def test_an_early_logger_heads_its_watt_seconds_with_watt_hours(log):
    header = FNB58.replace("energy_Ws capacity_As", "energy_Wh capacity_Ah")
    read = read_log(log("", header, *fnb58_rows(12)))
    assert read.energy_j is not None
    assert read.energy_j[-1] == pytest.approx(12 * 0.002901)


def test_packets_that_arrive_early_never_turn_time_back(log):
    """A packet's four rows are stamped by when it came: here the second one 21 ms too early."""
    times = (326.775, 326.785, 326.795, 326.805, 326.784, 326.794, 326.804, 326.814)
    amperes = (1, 1, 1, 2, 4, 4, 6, 1)
    rows = [f"1657568{t} {k % 4} 5.0 {a} 0 0 30.5 {k} 0" for k, (t, a) in enumerate(zip(times, amperes, strict=True))]
    read = read_log(log(FNB58, *rows))
    assert read.times_s == pytest.approx([1657568000 + t for t in (326.775, 326.785, 326.795, 326.805, 326.814)])
    assert read.power_w == pytest.approx([5, 5, 5, 5 * (2 + 4 + 4 + 6) / 4, 5])
    assert read.energy_j == pytest.approx([0, 1, 2, 6, 7]), "the total after the last row of that time"


def test_damaged_rows_are_skipped_and_counted_with_the_first_reasons(log):
    rows = fnb58_rows(100)
    rows[10] = rows[10].replace("5.02325", "nan")
    rows[20] = "1774531584.2"
    rows[30:31] = ["", FNB58]  # the logger appended
    rows.append("177453158")
    read = read_log(log(FNB58, *rows))
    assert (len(read.times_s), read.skipped) == (97, 4)
    assert read.reasons == (
        "row 12: column 'voltage_V' holds 'nan', which is no number",
        "row 22: 1 columns, not 9",
        "row 33: the header once more",
        "row 103: 1 columns, not 9",
    )


def test_a_log_of_which_more_than_a_tenth_is_damaged_is_refused(log):
    rows = fnb58_rows(20)
    rows[3] = rows[3].replace("0.05776", "x")
    assert read_log(log(FNB58, *rows)).skipped == 1
    rows[5:7] = ["", "x", "y"]
    with pytest.raises(InputError, match=r"meter\.csv: 3 of 20 rows .*row 5: column 'current_A' holds 'x'"):
        read_log(log(FNB58, *rows))


@pytest.mark.parametrize(
    ("header", "row", "watts"),
    [
        ("timestamp,power_w", "{t},2.5", 2.5),
        ("Timestamp,Power (mW)", "{t},2500", 2.5),
        ("unix_s\tPOWER [W]", "{t}\t2.5", 2.5),
        ("unix_s;p_w", "{t};2,5", 2.5),
        ("time;voltage_v;current_a", "{t};5,0;0,5", 2.5),
        ("Time,Voltage(V),Current(mA)", "{t},5,500", 2.5),
        ("time,voltage_mv,current_ua", "{t},5000,500000", 2.5),
        ("time,Current \u00b5A,U_V", "{t},500000,5", 2.5),  # the micro sign, and the Greek letter
        ("time,Current \u03bcA,U_V", "{t},500000,5", 2.5),
        ("time,W,note", '{t},2.5,"warm, quiet"', 2.5),
        ('time,power_w,"note, if any"', "{t},2.5,", 2.5),
        ("time,voltage_v,power_w,current_a", "{t},5,2.6,0.5", 2.6),
        ("timestamp_ms,power_w", "{ms},2.5", 2.5),
        ("elapsed_s,power_w,timestamp", "0,2.5,{t}", 2.5),
    ],
)
def test_columns_are_known_by_name_and_unit(log, header, row, watts):
    rows = [row.format(t=NOON + k, ms=(NOON + k) * 1000) for k in range(3)]
    read = read_log(log(header, *rows))
    assert read.format == "csv"
    assert read.power_w == pytest.approx([watts] * 3)
    assert read.times_s == pytest.approx([NOON, NOON + 1, NOON + 2])
    assert read.energy_j is None


@pytest.mark.parametrize(
    ("column", "factor"), [("energy_j", 1), ("Energy (Wh)", 3600), ("energy_mwh", 3.6), ("E [kWh]", 3.6e6)]
)
def test_a_total_that_the_meter_wrote_is_joules(log, column, factor):
    read = read_log(log(f"time,power_w,{column}", f"{NOON},1,0.5", f"{NOON + 1},1,1.5"))
    assert read.energy_j == pytest.approx([0.5 * factor, 1.5 * factor])


def test_rows_of_one_time_are_averaged(log):
    read = read_log(log("time,power_w,energy_j", *(f"{NOON + k // 2},{k},{k}" for k in range(6))))
    assert read.times_s.tolist() == [NOON, NOON + 1, NOON + 2]
    assert read.power_w.tolist() == [0.5, 2.5, 4.5]
    assert read.energy_j is not None and read.energy_j.tolist() == [1, 3, 5]


@pytest.mark.parametrize(
    ("header", "moment", "zone"),
    [
        ("time", "2026-03-26T12:00:0{k}Z", None),
        ("time", "2026-03-26 13:00:0{k}+01:00", None),
        ("time", "2026-03-26 13:00:0{k}+01:00", "Asia/Tokyo"),
        ("Time (UTC)", "2026-03-26 12:00:0{k}.000", None),
        ("time", "2026-03-26 13:00:0{k}", "Europe/Madrid"),
        ("time", "2026-03-26 12:00:0{k}", "UTC"),
    ],
)
def test_times_are_placed_by_their_own_zone_or_else_by_the_given_one(log, header, moment, zone):
    rows = [f"{moment.format(k=k)},1" for k in range(3)]
    assert read_log(log(f"{header},power_w", *rows), zone=zone).times_s.tolist() == [NOON, NOON + 1, NOON + 2]


@pytest.mark.parametrize("column", ["t_s", "elapsed_s", "Elapsed (s)", "time_s", "t"])
def test_seconds_from_the_start_need_the_start(log, column):
    path = log(f"{column};power_w", "0,0;1,0", "0,5;1,0")
    assert read_log(path, start_unix_s=NOON).times_s.tolist() == [NOON, NOON + 0.5]
    with pytest.raises(InputError, match=r"row 2: column .* '0,0' counts from an unknown start\n  fix: give the start"):
        read_log(path)


def test_a_start_is_not_added_to_unix_times(log):
    path = log("t_s,power_w", f"{NOON},1", f"{NOON + 1},1")
    assert read_log(path, start_unix_s=5).times_s.tolist() == [NOON, NOON + 1]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ("time,power_w", "2026-03-26 12:00:00,1", "2026-03-26 12:00:01,1"),
            "row 2: column 'time': .*names no time zone",
        ),
        (("time,power_w", "1774526400000,1", "1774526401000,1"), "row 2: column 'time': .*timestamp_ms"),
        (("time,power_w", "12:00,1", "12:01,1"), "row 2: column 'time': '12:00' is neither"),
        (
            ("time,power", "1774526400,1", "1774526401,1"),
            "no column for the power in W or mW.*it has time, power\n.*power_w",
        ),
        (("time,voltage_v", "1774526400,1", "1774526401,1"), "no column for the power"),
        (("power_w,factor", "1,1", "1,1"), "no column for the time"),
        (("power_w", "1", "1"), "row 1: no comma, semicolon or tab"),
        (("time,power_w", "1774526400,1"), "has 2 lines"),
        (("time,power_w", "1774526400,1", "1774526401,1,5"), "row 3: 3 columns, not 2"),
        (("time,power_w", "1774526400,2,5", "1774526401,2,5"), "row 2: 3 columns, not 2"),
        (("time,power_w", "1774526400,-2", "1774526401,-2"), "mean power is -2 W"),
        (("time,power_w", "1774526400,1", "1774526397.5,1"), r"row 3: the time goes back by 2\.5 s"),
    ],
)
def test_what_cannot_be_read_is_told_with_file_row_and_column(log, lines, told):
    with pytest.raises(InputError, match=f"(?s)meter\\.csv.*{told}"):
        read_log(log(*lines))


def test_the_hour_that_comes_twice_when_summer_time_ends_is_refused(log):
    path = log("time,power_w", *(f"2026-10-25 {t},1" for t in ("02:59:58", "02:59:59", "02:00:00", "02:00:01")))
    with pytest.raises(InputError, match=r"row 4: the time goes back by 3599 s"):
        read_log(path, zone="Europe/Madrid")


def test_a_file_and_a_zone_that_are_not_there_are_told(tmp_path, log):
    with pytest.raises(InputError, match=r"none\.csv cannot be read: No such file"):
        read_log(tmp_path / "none.csv")
    with pytest.raises(InputError, match="no time zone 'Europe/Nowhere'"):
        read_log(log("time,power_w", "2026-03-26 12:00:00,1", "2026-03-26 12:00:01,1"), zone="Europe/Nowhere")


def test_marks_of_other_programs_are_no_data(tmp_path):
    path = tmp_path / "meter.csv"
    text = f"\ufeff# made by a meter\r\ntime;power_w\r\n{NOON};1,5\r\n\r\n{NOON + 1};1,5\r\n".replace(".0;", ";")
    path.write_bytes(text.encode())
    assert read_log(path).power_w.tolist() == [1.5, 1.5]


LOADS = ((0.0, 6.0), (10.0, 14.0), (20.0, 28.0))
"""By our clock, after NOON."""


def synthetic(offset_s, *, hz, noise_w=0.0, step_w=3.0, loads=LOADS):
    """Return times of the meter's clock, power, and marks of ours; afterwards something else runs at twice the power."""
    rng = np.random.default_rng(20260401)
    ours_s = np.arange(-100.0, 150.0, 1 / hz)
    loaded = np.array([any(on <= t < off for on, off in loads) for t in ours_s])
    power_w = 2.5 + step_w * loaded + 2 * step_w * (ours_s > 80) + rng.normal(0, noise_w, len(ours_s))
    return NOON + ours_s + offset_s, power_w, [(NOON + on, NOON + off) for on, off in loads]


@pytest.mark.parametrize("offset_s", [0.0, 37.218, -41.5])
@pytest.mark.parametrize(("hz", "noise_w"), [(10, 0.0), (10, 0.5), (1, 0.1), (50, 1.0)])
def test_a_known_offset_is_found_within_half_a_sample(offset_s, hz, noise_w):
    """A sample does not tell when, since the last one, power rose: half the time between two is what can be known."""
    found = clock_offset_s(*synthetic(offset_s, hz=hz, noise_w=noise_w))
    assert found.offset_s == pytest.approx(offset_s, abs=0.5 / hz + 0.02)
    assert abs(found.offset_s - offset_s) <= found.uncertainty_s
    assert found.contrast_w == pytest.approx(3.0, rel=0.15)


def test_a_weak_step_in_strong_noise_is_found():
    """1500 samples, noise as high as the step: 1/√(1/900 + 1/600) = 19 standard errors."""
    found = clock_offset_s(*synthetic(37.2, hz=50, noise_w=3.0))
    assert found.offset_s == pytest.approx(37.2, abs=0.3)
    assert found.contrast_w == pytest.approx(3.0, abs=0.5)


def test_subtracting_the_offset_puts_the_load_under_its_marks():
    times_s, power_w, marks = synthetic(-12.3, hz=10)
    ours_s = times_s - clock_offset_s(times_s, power_w, marks).offset_s
    for on, off in marks:
        assert power_w[(ours_s > on + 0.1) & (ours_s < off - 0.1)] == pytest.approx(5.5)


def test_one_load_is_enough_where_nothing_else_runs():
    times_s, power_w, marks = synthetic(20.0, hz=10, noise_w=0.3, loads=((0.0, 10.0),))
    found = clock_offset_s(times_s[times_s < NOON + 80], power_w[times_s < NOON + 80], marks)
    assert found.offset_s == pytest.approx(20.0, abs=0.1)


def test_the_uncertainty_is_the_half_width_at_the_stated_drop():
    """One load of T s and pauses as long: shifted by d, load loses d/T and pauses gain d/2T, so that 1.5 d/T is the drop."""
    times_s, power_w, marks = synthetic(0.0, hz=100, loads=((0.0, 10.0),))
    quiet = times_s < NOON + 80
    for drop in (0.05, 0.3):
        found = clock_offset_s(times_s[quiet], power_w[quiet], marks, drop=drop)
        assert found.uncertainty_s == pytest.approx(drop * 10 / 1.5, abs=0.06)


def test_the_uncertainty_is_never_less_than_half_a_sample():
    found = clock_offset_s(*synthetic(0.0, hz=1), drop=0.001)
    assert found.uncertainty_s == pytest.approx(0.5)


def test_an_offset_outside_the_search_is_not_found_and_a_wider_search_finds_it():
    times_s, power_w, marks = synthetic(60.0, hz=10, noise_w=0.2)
    with pytest.raises(MeterError, match="between offsets of -20 and 20 s"):
        clock_offset_s(times_s, power_w, marks, search_s=(-20, 20))
    with pytest.raises(MeterError, match="widen the search"):
        clock_offset_s(times_s, power_w, marks, search_s=(-20, 59.9))  # the best is at the edge
    assert clock_offset_s(times_s, power_w, marks, search_s=(-70, 70)).offset_s == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("memory", [0.0, 0.9, 1.0])
def test_noise_is_no_step(seed, memory):
    """White noise, noise that remembers, and a random walk."""
    drawn = np.random.default_rng(seed).normal(size=2500)
    power_w = 50 + np.array(list(_remembering(drawn, memory)))
    with pytest.raises(MeterError, match="told from noise"):
        clock_offset_s(NOON + np.arange(-100.0, 150.0, 0.1), power_w, [(NOON + a, NOON + b) for a, b in LOADS])


def _remembering(drawn, memory):
    total = 0.0
    for each in drawn:
        total = memory * total + each
        yield total


@pytest.mark.parametrize("power_w", [2.5, 0.1 + 0.2, 1e-3 / 3])
def test_constant_power_is_no_step(power_w):
    times_s, _, marks = synthetic(0.0, hz=10)
    with pytest.raises(MeterError, match="told from noise"):
        clock_offset_s(times_s, np.full(len(times_s), power_w), marks)


def test_a_step_down_is_no_load():
    times_s, power_w, marks = synthetic(0.0, hz=10, step_w=-1.0)
    quiet = times_s < NOON + 60
    with pytest.raises(MeterError, match="told from noise"):
        clock_offset_s(times_s[quiet], power_w[quiet], marks, search_s=(-2, 2))


def test_a_log_of_another_day_does_not_cover_the_load():
    times_s, power_w, marks = synthetic(0.0, hz=10)
    with pytest.raises(MeterError, match="does not cover"):
        clock_offset_s(times_s + 86400, power_w, marks)


@pytest.mark.parametrize("marks", [[], [(5.0, 2.0)], [(0.0, 5.0), (4.0, 8.0)], [(0.0, 5.0), (5.0, 8.0)]])
def test_marks_without_pauses_between_them_are_refused(marks):
    times_s, power_w, _ = synthetic(0.0, hz=1)
    with pytest.raises(MeterError, match="do not follow each other"):
        clock_offset_s(times_s, power_w, marks)
