"""Loopback stand-ins for smart plugs, which replay a known power curve by a clock that the test advances."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import socketserver
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

UNIX_S = 1_600_439_798
"""What a plug's clock shows when a test starts."""


@dataclass(frozen=True)
class Curve:
    """P(t) = constant + ramp·t + swing·sin(2πt / period), in W and s, and its integral."""

    constant_w: float = 40.0
    ramp_w_per_s: float = 0.1
    swing_w: float = 8.0
    period_s: float = 30.0

    def power_w(self, t_s: float) -> float:
        return self.constant_w + self.ramp_w_per_s * t_s + self.swing_w * math.sin(2 * math.pi * t_s / self.period_s)

    def energy_j(self, t_s: float) -> float:
        turn = 2 * math.pi / self.period_s
        return self.constant_w * t_s + self.ramp_w_per_s * t_s**2 / 2 + self.swing_w / turn * (1 - math.cos(turn * t_s))


class VirtualClock:
    """A monotonic clock that stands still until it is advanced."""

    def __init__(self) -> None:
        self.ns = 7_000_000_000_000
        self._start_ns = self.ns

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)

    @property
    def elapsed_s(self) -> float:
        return (self.ns - self._start_ns) / 1e9


class PlugState:
    """What all stand-ins share: the curve, a counter that can be reset, and ways to fail.

    Set `body` to answer with other text, `stalls` to not answer at all, `takes_s` to let virtual time pass in each request.
    """

    def __init__(self, curve: Curve, clock: VirtualClock, base_j: float) -> None:
        self.curve = curve
        self.clock = clock
        self.body: str | None = None
        self.stalls = False
        self.takes_s = 0.0
        self.requests = 0
        self.released = threading.Event()
        self._base_j = base_j
        self._counted_from_s = 0.0
        self._frozen_s: float | None = None

    @property
    def now_s(self) -> float:
        return self.clock.elapsed_s if self._frozen_s is None else self._frozen_s

    @property
    def power_w(self) -> float:
        return self.curve.power_w(self.now_s)

    @property
    def counter_j(self) -> float:
        return self._base_j + self.curve.energy_j(self.now_s) - self.curve.energy_j(self._counted_from_s)

    def freeze(self) -> None:
        """Repeat the same answer from now on."""
        self._frozen_s = self.now_s

    def reset_counter(self) -> None:
        """Count from 0, as after a restart."""
        self._base_j, self._counted_from_s = 0.0, self.now_s

    def begin_request(self) -> None:
        self.requests += 1
        self.clock.advance(self.takes_s / 2)
        if self.stalls:
            self.released.wait(30)  # `Served.__exit__` releases it

    def end_request(self) -> None:
        self.clock.advance(self.takes_s / 2)


def in_steps(value: float, step: float) -> float:
    """Return the value as a counter with such a step shows it."""
    return math.floor(value / step) * step


def shelly1(state: PlugState) -> str:
    meter = {
        "power": round(state.power_w, 2),
        "overpower": 0.0,
        "is_valid": True,
        "timestamp": UNIX_S + math.floor(state.now_s),
        "counters": [4.764, 4.757, 4.746],
        "total": math.floor(state.counter_j / 60),  # watt-minutes
    }
    return json.dumps({"relays": [{"ison": True}], "meters": [meter], "temperature": 43.41})


def shelly2(state: PlugState) -> str:
    energy = {
        "total": round(in_steps(state.counter_j / 3600, 0.001), 3),
        "by_minute": [404.631],
        "minute_ts": 1782936360,
    }
    status = {"id": 0, "source": "HTTP_in", "output": True, "voltage": 239.7, "freq": 50.2, "current": 0.188}
    return json.dumps({**status, "apower": round(state.power_w, 1), "aenergy": energy})


def tasmota(state: PlugState) -> str:
    total = f"{in_steps(state.counter_j / 3.6e6, 0.001):.3f}"
    return (
        '{"StatusSNS":{"Time":"2019-09-06T20:06:19","ENERGY":{"TotalStartTime":"2019-08-18T11:07:55",'
        f'"Total":{total},"Yesterday":0.000,"Today":0.003,"Power": {round(state.power_w)},"ApparentPower":25,'
        '"ReactivePower":25,"Factor":0.06,"Voltage":239,"Current":0.106}}}'
    )


def kasa1(state: PlugState) -> str:
    total = f"{in_steps(state.counter_j / 3.6e6, 0.001):.6f}"
    reading = f'"current":0.031207,"voltage":236.398535,"power":{state.power_w:.6f},"total":{total},"err_code":0'
    return f'{{"emeter":{{"get_realtime":{{{reading}}}}}}}'


def kasa2(state: PlugState) -> str:
    total, power = math.floor(state.counter_j / 3600), round(state.power_w * 1000)
    reading = f'"voltage_mv":242630,"current_ma":19,"power_mw":{power},"total_wh":{total},"err_code":0'
    return f'{{"emeter":{{"get_realtime":{{{reading}}}}}}}'


class Served:
    """A context in which a server answers on a loopback port, `port`."""

    server: socketserver.TCPServer
    state: PlugState

    def __enter__(self):
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.state.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class HttpPlug(Served):
    """A plug that answers over HTTP.

    Args:
        kind: "shelly1", "shelly2" or "tasmota".
        state: What it shows.
        login: User and password that it wants, in the way of its kind.
    """

    PATHS: ClassVar = {
        "shelly1": ("/status", shelly1),
        "shelly2": ("/rpc/Switch.GetStatus?id=0", shelly2),
        "tasmota": ("/cm?cmnd=Status%208", tasmota),
    }

    def __init__(self, kind: str, state: PlugState, login: tuple[str, str] | None = None) -> None:
        self.kind = kind
        self.state = state
        self.login = login
        self.path, self._show = self.PATHS[kind]
        self.status = 200
        self.location: str | None = None
        self.server = _HttpServer(self)

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body."""
        if self.login and not self._let_in(path, authorization):
            digest = 'Digest qop="auth", realm="shellyplus1-a8032abe54dc", nonce="60dc2c11", algorithm=SHA-256'
            return 401, {"WWW-Authenticate": digest if self.kind == "shelly2" else 'Basic realm="plug"'}, "401"
        if self.location:
            return 302, {"Location": self.location}, ""
        if self.state.body is not None:
            return self.status, {}, self.state.body
        if path.partition("&")[0] != self.path:
            return 404, {}, "Not Found"
        return self.status, {}, self._show(self.state)

    def _let_in(self, path: str, authorization: str | None) -> bool:
        assert self.login
        user, password = self.login
        if self.kind == "tasmota":
            query = parse_qs(urlsplit(path).query)
            return (query.get("user"), query.get("password")) == ([user], [password])
        if not authorization:
            return False
        scheme, _, rest = authorization.partition(" ")
        if self.kind == "shelly1":
            return scheme == "Basic" and base64.b64decode(rest).decode() == f"{user}:{password}"
        return scheme == "Digest" and _digest_fits(parse_keqv_list(parse_http_list(rest)), path, user, password)


def _digest_fits(given: dict[str, str], path: str, user: str, password: str) -> bool:
    """Check an answer to a digest challenge by RFC 7616, section 3.4.1."""

    def h(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    secret, request = h(user, given["realm"], password), h("GET", path)
    want = h(secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], request)
    return given["username"] == user and given["uri"] == path and given["response"] == want


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, plug: HttpPlug) -> None:
        self.plug = plug
        super().__init__(("127.0.0.1", 0), _HttpHandler)


class _HttpHandler(BaseHTTPRequestHandler):
    server: _HttpServer

    def do_GET(self) -> None:
        plug = self.server.plug
        plug.state.begin_request()
        if plug.state.stalls:
            return
        status, headers, body = plug.answer(self.path, self.headers["Authorization"])
        plug.state.end_request()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


class KasaPlug(Served):
    """A plug of the legacy Kasa protocol; it answers in pieces, as TCP may.

    Set `announced` to give a wrong length, `sends` to close the connection after so many bytes of the answer.
    """

    def __init__(self, show: Any, state: PlugState) -> None:
        self.state = state
        self.show = show
        self.announced: int | None = None
        self.sends: int | None = None
        self.asked: list[str] = []
        self.server = _KasaServer(self)


class _KasaServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, plug: KasaPlug) -> None:
        self.plug = plug
        super().__init__(("127.0.0.1", 0), _KasaHandler)


class _KasaHandler(socketserver.StreamRequestHandler):
    server: _KasaServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        plug = self.server.plug
        size = int.from_bytes(self.rfile.read(4), "big")
        plug.asked.append(_autokey(self.rfile.read(size), decrypt=True).decode())
        plug.state.begin_request()
        if plug.state.stalls:
            return
        text = plug.show(plug.state) if plug.state.body is None else plug.state.body
        plug.state.end_request()
        secret = _autokey(text.encode(), decrypt=False)
        length = len(secret) if plug.announced is None else plug.announced
        message = length.to_bytes(4, "big") + secret[: plug.sends]
        for start, end in ((0, 2), (2, 5), (5, 50), (50, len(message))):
            self.wfile.write(message[start:end])
            self.wfile.flush()


def _autokey(data: bytes, *, decrypt: bool) -> bytes:
    """XOR each byte with the encrypted byte before it; the first with 171."""
    out: list[int] = []
    key = 171
    for byte in data:
        out.append(byte ^ key)
        key = byte if decrypt else out[-1]
    return bytes(out)
