"""What is read of Kasa plugs, from a stand-in on the loopback that replays a known power curve."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.kasa import KasaMeter, _decrypt, _encrypt
from evalsuite.meters.plugs import Plug, PlugAddress
from evalsuite.meters.source import MeterError, Site
from tests.meters.plug_server import Curve, KasaPlug, PlugState, VirtualClock, kasa1, kasa2

V1 = '{"emeter":{"get_realtime":{"current":0.031207,"voltage":236.398535,"power":2.478820,"total":2.274000,"err_code":0}}}'
V2 = '{"emeter":{"get_realtime":{"voltage_mv":242630,"current_ma":19,"power_mw":1223,"total_wh":184,"err_code":0}}}'


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture(params=[kasa1, kasa2], ids=["v1", "v2"])
def plug(request, clock):
    with KasaPlug(request.param, PlugState(Curve(), clock, base_j=184 * 3600.0)) as served:
        yield served


@pytest.fixture
def one_plug(clock):
    with KasaPlug(kasa2, PlugState(Curve(), clock, base_j=184 * 3600.0)) as served:
        yield served


def open_meter(served, clock):
    return KasaMeter.open(Site(clock_ns=clock), served.address)


def refuse(served, clock):
    with pytest.raises(MeterError) as caught:
        open_meter(served, clock)
    probe = KasaMeter.probe(Site(clock_ns=clock), served.address)
    assert (probe.available, probe.told, probe.fix) == (False, caught.value.problem, caught.value.fix)
    assert served.address in probe.told
    assert probe.fix
    return caught.value


def test_the_encryption_is_that_of_the_protocol():
    # By hand: "{" is 0x7B and "}" 0x7D; 0x7B ^ 171 (0xAB) = 0xD0, '"' 0x22 ^ 0xD0 = 0xF2, "e" 0x65 ^ 0xF2 = 0x97.
    assert _encrypt(b'{"e') == bytes([0xD0, 0xF2, 0x97])
    assert _encrypt(b"{}") == bytes([0xD0, 0xAD])
    assert _decrypt(bytes([0xD0, 0xF2, 0x97])) == b'{"e'
    assert _decrypt(b"") == _encrypt(b"") == b""


def test_the_energy_of_a_known_curve_comes_back(plug, clock):
    source = open_meter(plug, clock)
    samples = [source.read()]
    for _ in range(120):
        clock.advance(1)
        samples.append(source.read())
    times_s = np.array([s.t_ns for s in samples]) / 1e9
    power_w = np.array([s.power_w for s in samples], dtype=float)
    # 40 W for 120 s, a ramp of 0.1 W/s, and four whole turns of the sine, which add nothing.
    exact_j = 40 * 120 + 0.1 * 120**2 / 2
    assert np.trapezoid(power_w, times_s) == pytest.approx(exact_j, rel=0.01)
    assert samples[-1].energy_j == pytest.approx(exact_j, abs=source.info.quantum_j)
    assert source.info.kind == "sampler"
    assert set(plug.asked) == {'{"emeter":{"get_realtime":{}}}'}
    assert all(not s.flags for s in samples)


@pytest.mark.parametrize(
    ("body", "power_w", "later"),
    [(V1, 2.47882, V1.replace("2.274000", "2.275000")), (V2, 1.223, V2.replace(":184", ":185"))],
)
def test_real_answers_are_read_in_their_units(one_plug, clock, body, power_w, later):
    one_plug.state.body = body
    source = open_meter(one_plug, clock)
    assert source.first.power_w == pytest.approx(power_w)
    assert source.first.energy_j == 0
    one_plug.state.body = later
    assert source.read().energy_j == pytest.approx(3600)  # 1 Wh
    assert source.info.quantum_j == 3600
    assert (source.info.id, source.info.scope) == (f"kasa:{one_plug.address}", "at the wall")


def test_the_registry_finds_it_and_a_probe_says_what_it_draws(one_plug, clock):
    assert load_meter("kasa") is KasaMeter
    probe = KasaMeter.probe(Site(clock_ns=clock), one_plug.address)
    assert probe.available
    assert "40 W" in probe.told


def test_a_sample_is_dated_at_the_middle_of_its_request(one_plug, clock):
    source = open_meter(one_plug, clock)
    one_plug.state.takes_s = 0.5
    begun_ns = clock()
    assert source.read().t_ns == begun_ns + 250_000_000


def test_a_counter_that_was_reset_makes_energy_unknown_and_leaves_power(plug, clock):
    source = open_meter(plug, clock)
    plug.state.reset_counter()
    clock.advance(1)
    for _ in range(2):
        sample = source.read()
        assert (sample.energy_j, sample.flags) == (None, ("counter_reset",))
        assert sample.power_w == pytest.approx(plug.state.power_w, abs=1e-3)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"emeter":{"err_code":-1,"err_msg":"module not support"}}', "error -1 (module not support)"),
        ('{"emeter":{"get_realtime":{"err_code":-2,"err_msg":"member not support"}}}', "error -2 (member not support)"),
        (V2.replace('"err_code":0', '"err_code":-10'), "error -10 (no message)"),
        (V2.replace('"err_code":0', '"err_code":[]'), "error []"),
        ('{"emeter":{"get_realtime":{"err_code":0}}}', "power is missing"),
        ("{}", "power is missing"),
        (V2.replace("1223", '"x"'), "power_mw is 'x', not a number"),
        (V1.replace("2.478820", "-3"), "says -3 W"),
        ("nonsense", "not JSON"),
        ("[]", "no JSON object"),
    ],
)
def test_an_answer_without_a_reading_is_refused(one_plug, clock, body, told):
    one_plug.state.body = body
    assert told in refuse(one_plug, clock).problem


@pytest.mark.parametrize("length", [0, 65_537, 0x48545450])  # the last is "HTTP"
def test_a_length_that_cannot_be_is_refused_without_reading_on(one_plug, clock, length):
    one_plug.announced = length
    assert f"announces an answer of {length} bytes" in refuse(one_plug, clock).problem


@pytest.mark.parametrize("sends", [0, 7])
def test_an_answer_that_is_cut_off_is_refused(one_plug, clock, sends):
    one_plug.state.body = V2
    one_plug.sends = sends
    assert f"closed the connection after {sends} of {len(V2)} bytes" in refuse(one_plug, clock).problem


def test_a_plug_that_stalls_is_given_up(one_plug, clock, monkeypatch):
    monkeypatch.setattr(Plug, "timeout_s", 0.05)
    source = open_meter(one_plug, clock)
    one_plug.state.stalls = True
    with pytest.raises(MeterError, match=r"did not answer within 0\.05 s"):
        source.read()
    one_plug.state.stalls = False
    assert source.read().power_w == 40.0


def test_a_trickle_does_not_put_off_the_deadline(monkeypatch):
    class Trickle:
        """A connection that always has one more byte."""

        received = 0

        def settimeout(self, seconds):
            assert 0 < seconds <= 2

        def recv(self, size):
            self.received += 1
            return b"\0"

    # A clock of its own: the deadline passes at the tenth byte.
    ticks = iter(range(100))
    monkeypatch.setattr("evalsuite.meters.kasa.time.monotonic", lambda: next(ticks) * 0.2)
    trickle: Any = Trickle()
    with pytest.raises(TimeoutError):
        KasaMeter(Site(), PlugAddress("plug"))._receive(trickle, 1000, deadline=2.0)
    assert trickle.received == 10


def test_newer_firmware_refuses_and_it_is_said_what_to_do(clock):
    with socket.socket() as unused:  # bound but not listening: refuses
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(MeterError, match=f"nothing listens on port {port}") as caught:
            KasaMeter.open(Site(clock_ns=clock), f"127.0.0.1:{port}")
    assert "KLAP" in caught.value.problem
    assert caught.value.fix and "shelly2:ADDRESS" in caught.value.fix


def test_the_port_is_9999_unless_another_is_given(monkeypatch):
    asked = []

    def refuse_connection(where, timeout):
        asked.append((where, timeout))
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse_connection)
    assert not KasaMeter.probe(Site(), "192.168.1.20").available
    assert asked == [(("192.168.1.20", 9999), 2.0)]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        (None, "no address"),
        ("http://admin:s3cret@plug", "neither user nor password"),
        ("plug?id=1", "behind the address"),
        ("a" * 70, "broke off"),
    ],
)
def test_an_address_that_is_of_no_use_is_refused(argument, told):
    probe = KasaMeter.probe(Site(), argument)
    assert not probe.available
    assert told in probe.told
    assert probe.fix and ("--meter kasa:" in probe.fix or "check the address" in probe.fix)
    assert "s3cret" not in f"{probe.told}{probe.fix}"
