"""A meter's own log joined to a profile: the clock found by the load, the energy that comes back, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from typer.testing import CliRunner

from evalsuite.analysis.energy_table import energies
from evalsuite.analysis.profiles import load_profiles
from evalsuite.cli.main import app
from evalsuite.errors import InputError
from evalsuite.meter_import import LogSource, import_log
from evalsuite.meters import METERS
from evalsuite.meters.source import Site
from evalsuite.profile_store import ProfileFolder, ProfileWriter
from evalsuite.profiling.power import Power, check_meters
from evalsuite.profiling.session import Session
from evalsuite.records import (
    CellStatus,
    Kind,
    MeterFound,
    PowerRow,
    PowerSourceRow,
    ProfileCell,
    ProfileSettings,
    ProfileText,
    ReadingLabel,
    RequestRow,
    digest,
)
from evalsuite.store import RunFolder, RunWriter
from tests.helpers import evalsuite
from tests.synthetic import Plan, build_run

MODEL = "smollm2-135m-q4_1"
OTHER = "gemma3-270m-q4_k_m"
CLOCK_OFFSET_S = datetime(2026, 3, 26, 12, 0, tzinfo=UTC).timestamp()
"""UNIX time at 0 of the monotonic clock."""
LEVELS = (
    (0, 2.0), (4900, 9.0), (4980, 6.5), (5000, 2.0), (5060, 6.0), (5080, 7.0), (5180, 5.0), (5280, 2.0), (5340, 8.0),
    (5400, 2.0), (9999, 2.0),
)  # fmt: skip
"""What the device takes from when on, monotonic seconds and watts: loading, warm-up, idle, a round, a block of Basque (7 W),
one of English (5 W), idle, contexts."""
EU_J, EN_J = 2.0 * 7.0, 1.0 * 5.0
"""A request takes 2 s in Basque, and 1 s in English."""


def cell(model=MODEL):
    return ProfileCell(
        id=f"{model}.0123456789", model=model, model_sha256=digest(model), languages=("en", "eu"),
        settings=ProfileSettings(meters=("log",)), texts_sha256=digest("texts"), device="0" * 16, threads=2,
        threads_reason="2 physical cores",
    )  # fmt: skip


def row(block, language, start_s, end_s):
    return RequestRow(
        block=block, round=0, sitting=0, language=language, kind=Kind.CLASSIFICATION, id="m1", start_ns=round(start_s * 1e9),
        end_ns=round(end_s * 1e9), tokenise_s=0.001, prefill_s=0.5, ttft_s=0.5, steps_s=(0.1,), total_s=end_s - start_s,
        prompt_tokens=40, prompt_chars=120, prompt_bytes=125, output_tokens=2, output_chars=5, output_bytes=5,
        output="water", right=True,
    )  # fmt: skip


REQUESTS = (
    *(row("latency", "en", 5060.01 + s, 5061 + s) for s in range(19)),
    *(row("energy", "eu", 5080 + 2 * k, 5082 + 2 * k) for k in range(50)),
    *(row("energy", "en", 5180 + k, 5181 + k) for k in range(100)),
)


@pytest.fixture
def run(tmp_path):
    """Return what makes a run folder with a profile of each model."""

    def make(models=(MODEL,), requests=REQUESTS, **facts):
        path = build_run(tmp_path / "run", Plan(items=2, codes=("en", "eu"), holes=False, limit=2))
        with RunWriter(path) as writer:
            writer.write_manifest(writer.manifest.model_copy(update={"profiles": tuple(map(cell, models))}))
            for model in models:
                profile = ProfileWriter(writer, cell(model))
                profile.add_requests(requests)
                idle = ((5000 * 10**9, 5060 * 10**9), (5280 * 10**9, 5340 * 10**9))
                stored = {
                    "status": CellStatus.DONE, "idle": idle, "parts": ("loads", "energy"), "rounds_done": 1,
                    "clock_offset_s": CLOCK_OFFSET_S,
                    "meters": (MeterFound(name="log", available=False, told="not imported yet"),),
                }  # fmt: skip
                profile.update(**(stored | facts))
        return path

    return make


def watts(times_s):
    """Return the power at times on the monotonic clock, with a ripple that is 0 on average."""
    starts, levels = zip(*LEVELS, strict=True)
    base = np.array(levels)[np.searchsorted(starts, times_s, side="right") - 1]
    return base + 0.3 * np.sin(2 * np.pi * np.asarray(times_s) / 0.77)


@pytest.fixture
def log(tmp_path):
    """Return what writes the log of a meter whose clock is some seconds ahead of the device's."""

    def write(ahead_s=37.4, start_s=4950.0, end_s=5390.0, hz=10.0, power=watts, moment=None, name="meter.csv"):
        times_s = np.arange(start_s, end_s, 1 / hz)
        shown = [moment(t) if moment else f"{t:.3f}" for t in times_s + CLOCK_OFFSET_S + ahead_s]
        rows = [f"{t},{w:.4f}" for t, w in zip(shown, power(times_s), strict=True)]
        path = tmp_path / name
        path.write_text("\n".join(["time,power_w", *rows]) + "\n", encoding="utf-8")
        return path

    return write


def stored(path, model=MODEL):
    return ProfileFolder(RunFolder(path), cell(model))


def joules(path):
    """Return what a report shows, by language."""
    folder = RunFolder(path)
    return {row.language: row for row in energies(load_profiles(folder, folder.manifest))}


@pytest.mark.parametrize("ahead_s", [37.4, -93.0, 0.0])
def test_the_energy_of_a_request_comes_back_whatever_the_meters_clock_says(run, log, ahead_s):
    path = run()
    done = import_log(path, log(ahead_s), LogSource(scope="at the USB socket", accuracy=0.01))
    assert done.clock.offset_s == pytest.approx(ahead_s, abs=0.1)
    assert done.clock.uncertainty_s >= 0.05
    found = joules(path)
    assert found["eu"].gross.value == pytest.approx(EU_J, rel=0.01)
    assert found["en"].gross.value == pytest.approx(EN_J, rel=0.01)
    assert found["eu"].net.value == pytest.approx(EU_J - 2 * 2.0, rel=0.01)
    assert found["eu"].idle_w == pytest.approx((2.0, 2.0), rel=0.01)
    assert (found["eu"].label, found["eu"].scope) == (ReadingLabel.MEASURED, "at the USB socket")
    assert "gap" not in found["eu"].flags


def test_a_meter_that_writes_once_a_second_will_do(run, log):
    path = run()
    done = import_log(path, log(hz=1.0), LogSource())
    assert done.source.nominal_hz == pytest.approx(1.0, rel=1e-3)
    assert joules(path)["eu"].gross.value == pytest.approx(EU_J, rel=0.02)


def test_what_is_stored_says_where_it_comes_from(run, log):
    path = run()
    file = log(end_s=6400.0)
    done = import_log(path, file, LogSource(accuracy=0.01))
    profile = stored(path)
    (source,) = profile.facts.sources
    assert source == done.source
    assert (source.id, source.label, source.kind, source.primary) == ("log:meter.csv", "measured", "sampler", True)
    assert (source.accuracy, source.quantum_w, source.scope) == (0.01, None, "whole device, by an external meter")
    assert source.note is not None
    assert "imported from meter.csv" in source.note
    assert f"{done.clock.offset_s:.2f} s ahead of this device's, ± {done.clock.uncertainty_s:.2f} s" in source.note
    samples = profile.power()
    assert len(samples) == done.samples
    assert {sample.source for sample in samples} == {"log:meter.csv"}
    assert 4994e9 < samples[0].t_ns < 5000e9
    assert 5340e9 < samples[-1].t_ns < 5346e9, "what comes long after the profile is left out"
    (meter,) = profile.facts.meters
    assert (meter.available, meter.told) == (True, "imported from meter.csv")


def test_a_clock_that_is_behind_is_said_to_be(run, log):
    note = import_log(run(), log(-93.0), LogSource()).source.note
    assert note is not None
    assert "s behind this device's" in note


RAPL = PowerSourceRow(id="rapl", scope="package", label="measured", kind="counter", nominal_hz=10.0, primary=True)


@pytest.mark.parametrize("asked", [False, True])
def test_an_imported_source_takes_the_first_place_only_where_it_is_asked_to(run, log, asked):
    path = run(sources=(RAPL,))
    done = import_log(path, log(), LogSource(primary=asked))
    assert done.source.primary is asked
    assert {source.id: source.primary for source in stored(path).facts.sources} == {
        "rapl": not asked,
        "log:meter.csv": asked,
    }


def test_of_several_profiles_the_named_one_takes_the_log(run, log):
    path = run(models=(MODEL, OTHER))
    import_log(path, log(), LogSource(), OTHER)
    assert [source.id for source in stored(path, OTHER).facts.sources] == ["log:meter.csv"]
    assert stored(path).facts.sources == ()


def test_an_earlier_sitting_that_was_broken_off_does_not_count(run, log):
    # Its requests lie in the idle time of the last one, as they may after a restart, when the clock begins anew.
    old = [r.model_copy(update={"sitting": 0}) for r in REQUESTS if r.block == "latency"]
    shifted = [r.model_copy(update={"start_ns": r.start_ns - 50 * 10**9, "end_ns": r.end_ns - 50 * 10**9}) for r in old]
    path = run(requests=(*shifted, *(r.model_copy(update={"sitting": 1}) for r in REQUESTS)))
    import_log(path, log(), LogSource())
    assert joules(path)["en"].gross.value == pytest.approx(EN_J, rel=0.01)


def refused(*arguments):
    done = CliRunner().invoke(app, ["meter", "import", *map(str, arguments)])
    assert done.exit_code == 2, done.output
    return done.output


def flat(times_s):
    return np.full(len(times_s), 4.0) + 0.2 * np.sin(np.asarray(times_s))


@pytest.mark.parametrize(
    ("facts", "options", "written", "told"),
    [
        ({"models": ()}, (), {}, "holds no profile of a device"),
        ({"models": (MODEL, OTHER)}, (), {}, f"2 profiles: {MODEL}, {OTHER}"),
        ({}, ("--model", "smollm2-135m"), {}, f"did you mean '{MODEL}'"),
        ({"requests": REQUESTS[:19], "parts": (), "idle": ()}, (), {}, "has no blocks of requests .*--meter log"),
        ({"requests": REQUESTS[:19]}, (), {}, "has no blocks of requests"),
        ({"idle": ()}, (), {}, "has no blocks of requests with idle time"),
        ({"status": CellStatus.FAILED, "reason": "it crashed"}, (), {}, "is failed: it crashed"),
        ({}, (), {"ahead_s": 3600.0}, r"from 2026-03-26 14:22:\d\d to .* measured from 2026-03-26 13:23:20 to .*13:29:00 UTC"),
        ({}, (), {"power": flat}, "shows no step of power"),
        ({}, (), {"start_s": 5150.0}, "covers only a part"),
        ({}, (), {"end_s": 5200.0}, "covers only a part"),
        ({"sources": (RAPL,)}, ("--source-name", "rapl"), {}, "already has a source 'rapl'"),
        ({}, ("--accuracy", "2"), {}, "accuracy"),
        ({}, ("--zone", "Europe/Bilbao"), {"moment": lambda t: f"{datetime.fromtimestamp(t, UTC):%F %T}"}, "time zone"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_refused_and_nothing_is_stored(run, log, facts, options, written, told):
    path = run(**facts)
    before = sorted((p, p.stat().st_mtime_ns) for p in path.rglob("*") if p.is_file() and p.name != "lock")
    assert re.search(told, " ".join(refused(path, log(**written), *options).split()))
    assert before == sorted((p, p.stat().st_mtime_ns) for p in path.rglob("*") if p.is_file() and p.name != "lock")


def test_a_log_is_imported_once(run, log):
    path, file = run(), log()
    import_log(path, file, LogSource())
    with pytest.raises(InputError, match=r"already has a source 'log:meter\.csv'"):
        import_log(path, file, LogSource())
    import_log(path, file, LogSource(name="again"))
    assert [(s.id, s.primary) for s in stored(path).facts.sources] == [("log:meter.csv", True), ("again", False)]


def test_rows_without_their_source_are_not_mixed_with_new_ones(run, log):
    """As an import leaves them that was ended between the two."""
    path = run()
    with RunWriter(path) as writer:
        ProfileWriter(writer, cell()).add_power([PowerRow(source="log:meter.csv", t_ns=0, power_w=1.0, energy_j=None)])
    with pytest.raises(InputError, match="--source-name"):
        import_log(path, log(), LogSource())


def test_a_folder_that_is_no_run_stays_as_it_is(tmp_path, log):
    assert "is no run folder" in refused(tmp_path / "nothing", log())
    assert not (tmp_path / "nothing").exists()


def test_the_verb_reads_local_times_and_tells_what_it_found(run, log):
    from zoneinfo import ZoneInfo

    def madrid(time_s):
        return f"{datetime.fromtimestamp(time_s, ZoneInfo('Europe/Madrid')):%Y-%m-%d %H:%M:%S.%f}"

    path = run()
    options = ("--zone", "Europe/Madrid", "--accuracy", "0.01", "--scope", "at the wall", "--source-name", "kitchen")
    done = evalsuite("meter", "import", path, log(12.0, moment=madrid), *options, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["offset_s"] == pytest.approx(12.0, abs=0.1)
    # Of the time in requests: a round of 6 W, then 7 W and 5 W, over 2 W.
    assert told["load_over_idle_w"] == pytest.approx(4.0, abs=0.7)
    assert (told["source"]["id"], told["source"]["scope"], told["source"]["accuracy"]) == (
        "kitchen",
        "at the wall",
        0.01,
    )
    assert joules(path)["en"].gross.value == pytest.approx(EN_J, rel=0.01)


def test_seconds_from_the_start_of_the_log_need_its_start(run, log):
    path = run()
    file = log(0.0, moment=lambda t: f"{t - CLOCK_OFFSET_S - 4950:.3f}")
    assert "give the start of the log in UNIX seconds" in refused(path, file)
    done = CliRunner().invoke(
        app, ["meter", "import", str(path), str(file), "--start", str(CLOCK_OFFSET_S + 4950 - 60)]
    )
    assert done.exit_code == 0, done.output
    assert "60.0" in done.output.partition("meter's clock was ")[2][:6]
    assert "evalsuite report" in done.output


# --- while it is measured


def test_a_log_that_comes_later_is_no_meter_that_can_be_read():
    check_meters(("log",))
    power = Power(Site(), ("log",))
    assert power.primary is None
    assert power.update_hz == 1.0
    (found,) = power.open()
    assert (found.name, found.available, found.fix) == ("log", False, "`evalsuite meter import RUN LOG`")
    assert power.stop() == {"sources": [], "rows": []}


@pytest.mark.parametrize("meters", [("none",), ()])
def test_without_any_meter_there_is_no_figure_of_energy(meters):
    assert Power(Site(), meters).update_hz is None


def test_beside_a_faster_meter_blocks_are_long_enough_for_the_log(tmp_path):
    curve = tmp_path / "curve.csv"
    curve.write_text("t_s,power_w\n0,2\n10,3\n", encoding="utf-8")
    for meters, hz in (((f"replay:{curve}?hz=5",), 5.0), ((f"replay:{curve}?hz=5", "log"), 1.0)):
        power = Power(Site(), meters)
        power.open()
        assert power.primary is not None and power.primary.nominal_hz == 5.0
        assert power.update_hz == hz
        power.stop()


@pytest.mark.parametrize("look", [check_meters, lambda meters: Power(Site(), meters)])
def test_a_log_cannot_be_given_before_it_is_written(look):
    with pytest.raises(InputError, match=r"(?s)takes no file, but was given 'log:usb.csv'.*meter import"):
        look(("log:usb.csv",))


class Job:
    model_path = "model.gguf"
    texts: tuple[ProfileText, ...] = (
        ProfileText(language="en", id="m1", kind=Kind.CLASSIFICATION, prompt="Hello", choices=("a", "b"), right=0),
    )
    long = "text"
    rounds_done = sitting = 0
    lengths_done: tuple[int, ...] = ()
    stored: tuple[str, ...] = ()

    def __init__(self, *meters):
        settings = ProfileSettings(meters=meters, energy_s=60.0)
        self.cell = cell().model_copy(update={"settings": settings})


@pytest.mark.parametrize(("meters", "runs"), [(("log",), True), (("none",), False)])
def test_blocks_and_idle_time_are_run_for_a_log_that_comes_later(monkeypatch, meters, runs):
    done = []
    for name in ("_load", "_warm_up", "_rounds", "_energy", "_threads", "_curve", "_send_memory"):
        monkeypatch.setattr(Session, name, lambda self, *args, name=name: done.append(name))
    monkeypatch.setattr(Session, "_idle", lambda self, name: done.append(f"idle {name}"))
    with Session(Job(*meters), lambda event, **fields: None) as session:
        session.run()
        kept = [name for name in done if name.startswith(("idle", "_rounds", "_energy"))]
        assert kept == (["idle before", "_rounds", "_energy", "idle after"] if runs else ["_rounds"])
        if runs:
            assert session._least_s() == 100.0, "100 values of a meter that writes one a second"


# --- the verbs


def test_all_meters_are_listed_with_what_they_read():
    done = CliRunner().invoke(app, ["meter", "list", "--json"])
    assert done.exit_code == 0, done.output
    found = {meter["name"]: meter for meter in json.loads(done.stdout)}
    assert set(found) >= {*METERS, "log"}
    assert found["shelly2"]["available"] is False
    assert "--meter shelly2:192.168.1.20" in found["shelly2"]["fix"]
    assert found["termux"]["reads"].startswith("an Android device")
    assert found["log"]["available"] is True
    text = CliRunner().invoke(app, ["meter", "list"]).stdout
    assert "yes  log      Any meter that writes a file of its own" in text
    assert "     fix: give `--meter kasa:ADDRESS`" in text


@pytest.mark.parametrize("verb", ["list", "import"])
def test_the_verbs_have_help_with_examples(verb):
    text = CliRunner().invoke(app, ["meter", verb, "--help"]).stdout
    assert f"evalsuite meter {verb}" in text.partition("Examples:")[2]
