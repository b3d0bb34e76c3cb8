"""What is read of HTTP plugs, from stand-ins on the loopback that replay a known power curve."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest

from evalsuite.meters import load_meter, split_meter
from evalsuite.meters.plugs import Plug, ShellyGen1Meter, ShellyGen2Meter, TasmotaMeter, read_address
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel
from tests.meters.plug_server import Curve, HttpPlug, PlugState, VirtualClock

METERS = {"shelly1": ShellyGen1Meter, "shelly2": ShellyGen2Meter, "tasmota": TasmotaMeter}
BASE_J = {"shelly1": 102 * 60.0, "shelly2": 913.252 * 3600, "tasmota": 0.003 * 3.6e6}
KINDS = tuple(METERS)

SHELLY1 = (
    '{"meters":[{"power":4.55,"overpower":0.00,"is_valid":true,"timestamp":1600439798,'
    '"counters":[4.764, 4.757, 4.746],"total":102}]}'
)
SHELLY2 = (
    '{"id":0,"source":"HTTP_in","output":true,"apower":25.7,"voltage":239.7,"freq":50.2,"current":0.188,'
    '"aenergy":{"total":913.252,"by_minute":[404.631,404.631,404.631],"minute_ts":1782936360},'
    '"temperature":{"tC":68.1,"tF":154.6}}'
)
TASMOTA = (
    '{"StatusSNS":{"Time":"2019-09-06T20:06:19","ENERGY":{"TotalStartTime":"2019-08-18T11:07:55","Total":0.003,'
    '"Yesterday":0.000,"Today":0.003,"Power":26,"ApparentPower":25,"ReactivePower":25,"Factor":0.06,"Voltage":239,'
    '"Current":0.106}}}'
)
REAL = {"shelly1": SHELLY1, "shelly2": SHELLY2, "tasmota": TASMOTA}


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def plug(clock):
    """Start plugs, which end with the test."""
    started = []

    def start(kind, *, curve=None, login=None):
        state = PlugState(curve or Curve(), clock, BASE_J[kind])
        served = HttpPlug(kind, state, login).__enter__()
        started.append(served)
        return served

    yield start
    for served in started:
        served.__exit__()


def open_meter(served, clock):
    return METERS[served.kind].open(Site(clock_ns=clock), served.address)


def refuse(served, clock, argument=None):
    """Return the error of opening; a probe must tell the same."""
    meter, site = METERS[served.kind], Site(clock_ns=clock)
    with pytest.raises(MeterError) as caught:
        meter.open(site, argument or served.address)
    probe = meter.probe(site, argument or served.address)
    assert not probe.available
    assert (probe.told, probe.fix) == (caught.value.problem, caught.value.fix)
    assert probe.fix
    assert "127.0.0.1" in probe.told
    return caught.value


def read_for(source, clock, seconds):
    """Read at 1 Hz of virtual time, with a sample at both ends."""
    samples = [source.read()]
    for _ in range(seconds):
        clock.advance(1)
        samples.append(source.read())
    return samples


@pytest.mark.parametrize("kind", KINDS)
def test_the_energy_of_a_known_curve_comes_back(plug, clock, kind):
    served = plug(kind)
    source = open_meter(served, clock)
    samples = read_for(source, clock, 120)
    times_s = np.array([s.t_ns for s in samples]) / 1e9
    power_w = np.array([s.power_w for s in samples], dtype=float)
    # 40 W for 120 s, a ramp of 0.1 W/s, and four whole turns of the sine, which add nothing.
    exact_j = 40 * 120 + 0.1 * 120**2 / 2
    assert served.state.curve.energy_j(120) == pytest.approx(exact_j)
    assert np.trapezoid(power_w, times_s) == pytest.approx(exact_j, rel=0.01)
    counted = samples[-1].energy_j - samples[0].energy_j
    if kind == "shelly2":
        assert source.info.kind == "counter"
        assert counted == pytest.approx(exact_j, rel=0.01)
    else:
        assert source.info.kind == "sampler"
    assert counted == pytest.approx(exact_j, abs=source.info.quantum_j)
    assert all(not s.flags for s in samples)
    assert source.first.energy_j == 0


@pytest.mark.parametrize(
    ("kind", "power_w", "field", "quantum_j"),
    [
        ("shelly1", 4.55, '"total":102', 60.0),
        ("shelly2", 25.7, "913.252", 3.6),
        ("tasmota", 26.0, '"Total":0.003', 3600.0),
    ],
)
def test_real_answers_are_read_in_their_units(plug, clock, kind, power_w, field, quantum_j):
    served = plug(kind)
    served.state.body = REAL[kind]
    source = open_meter(served, clock)
    assert (source.first.power_w, source.first.energy_j) == (power_w, 0.0)
    after = {'"total":102': '"total":103', "913.252": "913.253", '"Total":0.003': '"Total":0.004'}[field]
    served.state.body = REAL[kind].replace(field, after)
    # One step of the plug's counter: a watt-minute, 0.001 Wh, 0.001 kWh.
    assert source.read().energy_j == pytest.approx(quantum_j)
    assert source.info.quantum_j == quantum_j


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_says_what_it_measures(plug, clock, kind):
    served = plug(kind)
    info = open_meter(served, clock).info
    family = {"shelly1": "shelly-gen1", "shelly2": "shelly-gen2", "tasmota": "tasmota"}[kind]
    assert info.id == f"{family}:{served.address}"
    assert (info.scope, info.label, info.nominal_hz, info.accuracy) == (
        "at the wall",
        ReadingLabel.MEASURED,
        1.0,
        0.035,
    )
    assert "30 W" in info.note and "0.3 W" in info.note


@pytest.mark.parametrize("kind", KINDS)
def test_the_registry_finds_it_and_a_probe_says_what_it_draws(plug, clock, kind):
    served = plug(kind, curve=Curve(constant_w=33, ramp_w_per_s=0, swing_w=0))
    name, argument = split_meter(f"{kind}:http://{served.address}/")
    assert load_meter(name) is METERS[kind]
    probe = load_meter(name).probe(Site(clock_ns=clock), argument)
    assert probe.available
    assert "33 W" in probe.told


def test_a_sample_is_dated_at_the_middle_of_its_request(plug, clock):
    served = plug("shelly2")
    source = open_meter(served, clock)
    served.state.takes_s = 0.5
    begun_ns = clock()
    sample = source.read()
    assert clock() == begun_ns + 500_000_000
    assert sample.t_ns == begun_ns + 250_000_000
    assert sample.power_w == round(served.state.curve.power_w(0.25), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_counter_that_was_reset_makes_energy_unknown_and_leaves_power(plug, clock, kind):
    served = plug(kind, curve=Curve(constant_w=2000))
    source = open_meter(served, clock)
    before = read_for(source, clock, 30)
    assert before[-1].energy_j > 0 and not before[-1].flags
    served.state.reset_counter()
    after = read_for(source, clock, 30)
    assert {s.energy_j for s in after} == {None}
    assert {s.flags for s in after} == {("counter_reset",)}
    assert all(s.power_w > 1900 for s in after)
    assert open_meter(served, clock).read().energy_j == 0


def test_an_answer_in_which_the_plugs_own_time_stands_still_is_stale(plug, clock):
    served = plug("shelly1", curve=Curve(constant_w=5, ramp_w_per_s=0, swing_w=0))
    source = open_meter(served, clock)
    # A steady load is no reason: its time goes on.
    assert {s.power_w for s in read_for(source, clock, 30)} == {5.0}
    served.state.freeze()
    read_for(source, clock, 10)
    clock.advance(1)
    with pytest.raises(MeterError, match=r"stale: its own time has stood still for 11 s"):
        source.read()
    served.state._frozen_s = None
    assert source.read().power_w == 5.0


def test_a_plug_without_the_time_is_never_called_stale(plug, clock):
    served = plug("shelly1")
    served.state.body = SHELLY1.replace("1600439798", "0")
    source = open_meter(served, clock)
    assert {s.power_w for s in read_for(source, clock, 30)} == {4.55}


def test_a_value_that_the_plug_marks_as_not_valid_is_refused(plug, clock):
    served = plug("shelly1")
    served.state.body = SHELLY1.replace('"is_valid":true', '"is_valid":false')
    assert "not valid" in refuse(served, clock).problem


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("password", ["s3cret", "p@ss:/?#&%é"])
def test_a_password_lets_in_and_is_never_shown(plug, clock, kind, password):
    served = plug(kind, login=("admin", password))
    locked_out = refuse(served, clock)
    assert "without a password" in locked_out.problem
    assert f"--meter {kind}:http://user:password@127.0.0.1" in locked_out.fix
    wrong = refuse(served, clock, f"http://admin:wr0ng@{served.address}")
    assert "refuses this user and password" in wrong.problem
    assert "wr0ng" not in f"{wrong}{wrong.__cause__}"
    quoted = "".join(f"%{byte:02X}" for byte in password.encode())
    source = METERS[kind].open(Site(clock_ns=clock), f"http://admin:{quoted}@{served.address}")
    assert source.read().power_w == pytest.approx(40, abs=1)
    served.state.body = "nonsense"
    with pytest.raises(MeterError) as caught:
        source.read()
    for text in (str(caught.value), repr(source.info), repr(source._address)):
        assert password not in text and quoted not in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_password_is_not_shown_when_nothing_answers(clock, kind):
    with socket.socket() as unused:  # bound but not listening: refuses
        unused.bind(("127.0.0.1", 0))
        argument = f"http://admin:s3cret@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(MeterError, match="Connection refused") as caught:
            METERS[kind].open(Site(clock_ns=clock), argument)
    assert caught.value.fix and "same network" in caught.value.fix
    assert "s3cret" not in f"{caught.value}{caught.value.__cause__}"
    assert caught.value.__suppress_context__


def test_an_old_tasmota_says_in_its_answer_that_it_wants_a_password(plug, clock):
    served = plug("tasmota")
    served.state.body = '{"WARNING":"Need user=<username>&password=<password>"}'
    error = refuse(served, clock)
    assert "Need user=" in error.problem
    assert "http://user:password@" in error.fix


@pytest.mark.parametrize("kind", KINDS)
def test_a_plug_that_stalls_is_given_up(plug, clock, kind, monkeypatch):
    monkeypatch.setattr(Plug, "timeout_s", 0.05)
    served = plug(kind)
    source = open_meter(served, clock)
    served.state.stalls = True
    with pytest.raises(MeterError, match=r"did not answer within 0\.05 s"):
        source.read()
    served.state.stalls = False
    assert source.read().power_w == pytest.approx(40, abs=1)


def test_two_seconds_are_waited_for_an_answer():
    assert Plug.timeout_s == 2.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>hello</html>", "not JSON"),
        ("", "not JSON"),
        ("[" * 60_000, "not JSON"),
        ("[1, 2]", "no JSON object"),
        ("{}", "is missing"),
        ('{"x": "' + "y" * 70_000 + '"}', "longer than 65536 bytes"),
    ],
)
def test_nonsense_is_refused(plug, clock, kind, body, told):
    served = plug(kind)
    served.state.body = body
    assert told in refuse(served, clock).problem


@pytest.mark.parametrize(
    ("kind", "field", "told"),
    [
        ("shelly1", "4.55", "meters.0.power"),
        ("shelly2", "25.7", "apower"),
        ("shelly2", "913.252", "aenergy.total"),
        ("tasmota", '"Power":26', "StatusSNS.ENERGY.Power"),
    ],
)
@pytest.mark.parametrize("value", ["null", '"26"', "true", "NaN", "1e999", "1" * 400])
def test_a_field_that_is_no_number_is_refused(plug, clock, kind, field, told, value):
    served = plug(kind)
    served.state.body = REAL[kind].replace(field, f'"Power":{value}' if kind == "tasmota" else value)
    error = refuse(served, clock)
    assert f"{told} is " in error.problem
    assert "measures power" in error.fix


@pytest.mark.parametrize("value", ["-12.5", "40089"])
def test_power_that_no_plug_carries_is_refused(plug, clock, value):
    served = plug("shelly2")
    served.state.body = SHELLY2.replace("25.7", value)
    assert f"says {value} W" in refuse(served, clock).problem


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("shelly2", '{"id":0,"source":"init","output":false,"temperature":{"tC":40.1,"tF":104.2}}'),
        ("shelly1", '{"relays":[{"ison":false}],"meters":[]}'),
        ("tasmota", '{"StatusSNS":{"Time":"2019-09-06T20:06:19"}}'),
    ],
)
def test_a_plug_that_does_not_measure_is_told_apart(plug, clock, kind, body):
    served = plug(kind)
    served.state.body = body
    error = refuse(served, clock)
    assert "is missing in the plug's answer" in error.problem
    assert "measures power" in error.fix


def test_tasmota_with_several_channels_is_refused(plug, clock):
    served = plug("tasmota")
    served.state.body = TASMOTA.replace('"Power":26', '"Power":[26,0]')
    error = refuse(served, clock)
    assert "2 channels" in error.problem
    assert "one channel" in error.fix


@pytest.mark.parametrize(("kind", "field"), [("shelly1", ',"total":102'), ("tasmota", '"Total":0.003,')])
def test_without_the_counter_beside_there_is_still_power(plug, clock, kind, field):
    served = plug(kind)
    served.state.body = REAL[kind].replace(field, "")
    sample = open_meter(served, clock).read()
    assert sample.power_w in {4.55, 26.0}
    assert sample.energy_j is None and not sample.flags


def test_the_number_of_a_switch_is_asked_for(plug, clock):
    served = plug("shelly2")
    served.path = "/rpc/Switch.GetStatus?id=1"
    assert "HTTP status 404" in refuse(served, clock).problem
    source = ShellyGen2Meter.open(Site(clock_ns=clock), f"{served.address}?id=1")
    assert source.info.id == f"shelly-gen2:{served.address}?id=1"
    assert source.read().power_w == 40.0


@pytest.mark.parametrize(("kind", "query"), [("shelly2", "id=x"), ("shelly2", "id=1&on=true"), ("shelly1", "id=1")])
def test_nothing_else_can_be_put_into_the_request(plug, clock, kind, query):
    served = plug(kind)
    assert "behind the address" in refuse(served, clock, f"{served.address}?{query}").problem
    assert served.state.requests == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_not_followed(plug, clock, kind):
    other, served = plug(kind), plug(kind)
    served.location = f"http://localhost:{other.port}{other.path}"
    assert "redirects" in refuse(served, clock).problem
    assert other.state.requests == 0
    assert served.state.requests == 2


def test_a_server_error_is_told(plug, clock):
    served = plug("shelly2")
    served.status = 500
    served.state.body = json.dumps({"code": -105, "message": "Argument 'id', value 3 not found!"})
    error = refuse(served, clock)
    assert "HTTP status 500" in error.problem
    assert "number of the switch" in error.fix


def test_a_proxy_of_the_environment_is_passed_by(plug, clock, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert open_meter(plug("shelly1"), clock).read().power_w == 40.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("argument", [None, "", "  "])
def test_without_an_address_it_is_said_how_to_give_one(kind, argument):
    probe = METERS[kind].probe(Site(), argument)
    assert not probe.available
    assert probe.fix and f"--meter {kind}:ADDRESS" in probe.fix
    with pytest.raises(MeterError, match="no address"):
        METERS[kind].open(Site(), argument)


@pytest.mark.parametrize(
    "argument",
    [
        "http://admin:s3/cret@plug",
        "http://admin:12/s3cret@plug",
        "http://admin:12?s3cret@plug",
        "http://admin:12#s3cret@plug",
        "admin:s3cret@pl ug",
        "ftp://admin:s3cret@plug",
        "http://admin:s3cret@plug:x",
        "http://admin:s3cret@plug/rpc/Switch.GetStatus",
        "http://admin:s3cret@[::1",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated_if_it_holds_a_password(argument):
    probe = ShellyGen2Meter.probe(Site(), argument)
    assert not probe.available
    assert "cannot be read" in probe.told
    assert probe.fix and "%40" in probe.fix
    assert "cret" not in f"{probe.told}{probe.fix}"


@pytest.mark.parametrize("argument", ["plug:http", "http://", "a b", "http://plug:99999", "http://plug/status"])
def test_an_address_without_a_password_is_shown(argument):
    assert repr(argument) in ShellyGen1Meter.probe(Site(), argument).told


@pytest.mark.parametrize("argument", ["a" * 70, "a..b"])
def test_a_host_that_cannot_be_is_an_ordinary_error(argument):
    probe = ShellyGen1Meter.probe(Site(), argument)
    assert not probe.available
    assert argument in probe.told


def test_addresses_are_read_in_all_forms():
    assert str(read_address("shelly2", "192.168.1.20")) == "192.168.1.20"
    assert str(read_address("shelly2", "plug.lan:8080")) == "plug.lan:8080"
    full = read_address("shelly2", "https://me:p%40ss@plug:443/?id=1")
    assert (full.scheme, full.user, full.password, full.netloc, full.query) == (
        "https",
        "me",
        "p@ss",
        "plug:443",
        "id=1",
    )
    assert str(full) == "plug:443?id=1"
    six = read_address("shelly2", "http://[fe80::1]:80")
    assert (six.host, six.netloc) == ("fe80::1", "[fe80::1]:80")
