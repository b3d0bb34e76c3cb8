"""Reads smart plugs on the local network, which see all that a device draws from the wall.

A plug that repeats an old answer cannot be told from a steady load by its power and its counter. Only Shelly's first generation
sends the time of the value: an answer of which nothing moves for more than 10 s, not even that time, is refused as stale.
For the others nothing proves it, and nothing is claimed.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from evalsuite.meters.source import Counter, MeterError, PowerSample, Probe, Site, SourceInfo, probe_by_opening
from evalsuite.records import ReadingLabel

__all__ = ["Plug", "PlugAddress", "ShellyGen1Meter", "ShellyGen2Meter", "TasmotaMeter", "dig", "read_address"]

_MOST_W = 10_000.0
"""No plug carries more: 16 A at 230 V are 3.7 kW."""
_STALE_NS = 10 * 10**9
_ACCURACY = 0.035
_ACCURACY_NOTE = (
    "The accuracy holds from 30 W: in a test of eight plug meters by the Swedish Energy Agency all but one were off by less than"
    " 3.5 % there, by more below, and none saw 0.3 W; this very model need not have been among them."
)
_IN_REACH = "check the address, and that the plug has power and is in the same network"


@dataclass(frozen=True)
class PlugAddress:
    """Where a plug is; as text without user and password."""

    host: str
    """Name or IP address, IPv6 without brackets."""
    port: int | None = None
    scheme: Literal["http", "https"] = "http"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    query: str = ""

    @property
    def netloc(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.netloc}?{self.query}" if self.query else self.netloc


def read_address(name: str, text: str | None) -> PlugAddress:
    """Read `host`, `host:port` or `http://user:password@host`.

    Args:
        name: The meter, as the command line names it.
        text: What stands behind its colon.

    Raises:
        MeterError: There is none, or it is no address. What may hold a password is not repeated.
    """
    if not text or not text.strip():
        example = f"--meter {name}:192.168.1.20"
        raise MeterError("no address of the plug was given", fix=f"give `--meter {name}:ADDRESS`, such as `{example}`")
    shown = "the plug's address" if "@" in text else f"the plug's address {text!r}"
    wrong = MeterError(
        f"{shown} cannot be read",
        fix=f"give `--meter {name}:` and host, host:port or http://user:password@host;"
        " in user and password write @ : / ? # % as %40 %3A %2F %3F %23 %25",
    )
    try:
        parts = urlsplit(text if re.match(r"[A-Za-z]+://", text) else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None  # its text holds what may be part of a password
    # An unescaped / or ? in a password makes the rest of it, with the @, a path or a query.
    elsewhere = parts.path.strip("/") or parts.fragment or "@" in parts.query
    scheme = parts.scheme.lower()
    if elsewhere or not re.fullmatch(r"[\w.:%-]+", host) or scheme not in {"http", "https"}:
        raise wrong
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    return PlugAddress(host, port, "https" if scheme == "https" else "http", user, password, parts.query)


def dig(answer: Any, *path: str | int) -> Any:
    """Return what stands at a path in parsed JSON; None where there is nothing."""
    for step in path:
        try:
            answer = answer[step]
        except (KeyError, IndexError, TypeError):
            return None
    return answer


class Plug(ABC):
    """A `PowerMeter` and, once open, its `PowerSource`: what all plugs share."""

    timeout_s: ClassVar[float] = 2.0
    """Longest wait for the plug, in seconds."""
    max_bytes: ClassVar[int] = 1 << 16
    """Longest answer that is read."""

    _name: ClassVar[str]
    """On the command line."""
    _family: ClassVar[str]
    """In `SourceInfo.id`."""
    _kind: ClassVar[Literal["counter", "sampler"]] = "sampler"
    _quantum_j: ClassVar[float]
    _quantum_w: ClassVar[float]
    _note: ClassVar[str]
    _fix: ClassVar[str]
    """What to check where the plug answers, but not as such a plug does."""
    _query: ClassVar[str | None] = None
    """Pattern of what may stand behind `?` in the address."""

    def __init__(self, site: Site, address: PlugAddress) -> None:
        self._site = site
        self._address = address
        self._counter = Counter()
        self._reset = False
        self.first: PowerSample | None = None
        """The look that `open` took."""
        self.info = SourceInfo(
            id=f"{self._family}:{address}",
            scope="at the wall",
            label=ReadingLabel.MEASURED,
            kind=self._kind,
            nominal_hz=1.0,
            quantum_j=self._quantum_j,
            quantum_w=self._quantum_w,
            accuracy=_ACCURACY,
            note=f"{self._note} {_ACCURACY_NOTE}",
        )

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether the plug answers; asks it once."""

        def told(plug: Self) -> str:
            power_w = plug.first.power_w if plug.first else None
            return f"{plug.info.id} says {power_w:g} W"

        return probe_by_opening(lambda: cls.open(site, argument), told)

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> Self:
        """Return the plug after a first look, from which its energy counts.

        Args:
            site: Its clock is used.
            argument: The plug's address: `host`, `host:port` or `http://user:password@host`.

        Raises:
            MeterError: No address, nothing there, wrong password, or no plug of this kind.
        """
        address = read_address(cls._name, argument)
        if address.query and not (cls._query and re.fullmatch(cls._query, address.query)):
            known = "`?id=NUMBER`, the number of the switch" if cls._query else "nothing"
            raise MeterError(
                f"{address.netloc}: a `?` and something else than is known stand behind the address",
                fix=f"{known} may stand there with `--meter {cls._name}:`",
            )
        source = cls(site, address)
        try:
            source.first = source.read()
        except MeterError:
            source.close()
            raise
        return source

    def read(self) -> PowerSample:
        """Return power (W) and the energy counted since the plug was opened (J), at the middle of the request.

        A counter that falls was reset, as by a restart of the plug. What passed meanwhile is unknown, so from then on `energy_j`
        is None and every sample is flagged `counter_reset`, until the plug is opened again.

        Raises:
            MeterError: The plug does not answer in time, refuses, or sends something that is no reading.
        """
        begun_ns = self._site.clock_ns()
        answer = self._ask()
        t_ns = (begun_ns + self._site.clock_ns()) // 2
        power_w, counter_j = self._decode(answer)
        if not 0 <= power_w <= _MOST_W:
            raise self._error(f"says {power_w:g} W, which a plug's load cannot draw")
        if counter_j is not None and not self._counter.add(counter_j):
            self._reset = True
        energy_j = None if self._reset or counter_j is None else self._counter.total
        return PowerSample(t_ns, power_w, energy_j, flags=("counter_reset",) if self._reset else ())

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    @abstractmethod
    def _ask(self) -> Mapping[str, Any]:
        """Return the plug's answer."""

    @abstractmethod
    def _decode(self, answer: Mapping[str, Any]) -> tuple[float, float | None]:
        """Return power in watts, and what the counter shows in joules where it is there."""

    def _error(self, problem: str, fix: str | None = None) -> MeterError:
        return MeterError(f"{self._address}: {problem}", fix=fix or self._fix)

    def _unreachable(self, error: BaseException) -> MeterError:
        """Return what the system says is the matter; the libraries' own texts hold URLs with passwords."""
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, TimeoutError):
                return self._error(f"the plug did not answer within {self.timeout_s:g} s", _IN_REACH)
            if isinstance(found, OSError) and found.strerror:
                return self._error(f"the plug cannot be reached: {found.strerror}", _IN_REACH)
            found = found.__cause__ or found.__context__
        return self._error(f"the connection to the plug broke off ({type(error).__name__})", _IN_REACH)

    def _parse(self, body: bytes) -> Mapping[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self._error(f"the plug's answer is not JSON: {body[:60]!r}") from None
        if not isinstance(answer, dict):
            raise self._error(f"the plug's answer is no JSON object: {body[:60]!r}")
        return answer

    def _number(self, answer: Any, *path: str | int) -> float:
        value = dig(answer, *path)
        # So compared, NaN, infinity and integers beyond any float are refused too.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e15:
            told = "is missing" if value is None else f"is {str(value)[:40]!r}, not a number"
            raise self._error(f"{'.'.join(map(str, path))} {told} in the plug's answer")
        return float(value)

    def _number_or_none(self, answer: Any, *path: str | int) -> float | None:
        return None if dig(answer, *path) is None else self._number(answer, *path)


class _HttpPlug(Plug):
    def __init__(self, site: Site, address: PlugAddress) -> None:
        super().__init__(site, address)
        self._session = requests.Session()
        # A proxy from the environment does not know the plug, and would learn its password.
        self._session.trust_env = False
        # Plugs hold few connections, and drop idle ones: a kept one may be dead at the next look.
        self._session.headers["Connection"] = "close"
        if address.user is not None or address.password is not None:
            # All three kinds call their user admin unless told otherwise.
            self._session.auth = self._auth(address.user or "admin", address.password or "")

    def close(self) -> None:
        self._session.close()

    @abstractmethod
    def _path(self) -> str: ...

    def _auth(self, user: str, password: str) -> AuthBase:
        return HTTPBasicAuth(user.encode(), password.encode())  # as text it could be Latin-1 only

    def _ask(self) -> Mapping[str, Any]:
        url = f"{self._address.scheme}://{self._address.netloc}{self._path()}"
        body = bytearray()
        try:
            with self._session.get(url, timeout=self.timeout_s, allow_redirects=False, stream=True) as response:
                self._check(response.status_code)
                for part in response.iter_content(4096):
                    body += part
                    if len(body) > self.max_bytes:
                        raise self._error(f"the answer is longer than {self.max_bytes} bytes")
        except (OSError, ValueError) as error:  # all errors of requests are OSError; malformed hosts are ValueError
            raise self._unreachable(error) from None
        return self._parse(bytes(body))

    def _check(self, status: int) -> None:
        if status in {401, 403}:
            raise self._refused(f"HTTP status {status}")
        if 300 <= status < 400:
            raise self._error(
                f"the plug redirects to another address (HTTP status {status}), which is not followed",
                fix="give the plug's own address, with https:// in front if it wants that",
            )
        if status != 200:
            raise self._error(f"the plug answers with HTTP status {status}")

    def _refused(self, told: str) -> MeterError:
        given = "this user and password" if self._session.auth else "access without a password"
        form = f"`--meter {self._name}:http://user:password@{self._address}`"
        return self._error(f"the plug refuses {given} ({told})", fix=f"give user and password: {form}")


class ShellyGen1Meter(_HttpPlug):
    """A Shelly of the first generation: power by `/status`; its counter, in steps of a watt-minute, is stored beside."""

    _name = "shelly1"
    _family = "shelly-gen1"
    _quantum_j = 60.0
    _quantum_w = 0.01
    _note = "Energy is integrated from power; the plug's own counter steps by 60 J and is a cross-check only."
    _fix = "check that it is a Shelly of the first generation that measures power; newer ones are `--meter shelly2:ADDRESS`"

    def __init__(self, site: Site, address: PlugAddress) -> None:
        super().__init__(site, address)
        self._moved: tuple[tuple[float | None, ...], int] | None = None
        """What was shown last, and since when (ns)."""

    def _path(self) -> str:
        return "/status"

    def _decode(self, answer: Mapping[str, Any]) -> tuple[float, float | None]:
        meter = dig(answer, "meters", 0)
        power_w = self._number(answer, "meters", 0, "power")
        if dig(meter, "is_valid") is False:
            raise self._error(
                f"the plug marks its {power_w:g} W as not valid", fix="wait: it has just started; else restart it"
            )
        total = self._number_or_none(answer, "meters", 0, "total")
        stamp = self._number_or_none(answer, "meters", 0, "timestamp")
        # The stamp is in whole seconds, and 0 as long as the plug has not got the time from the network.
        if stamp:
            self._refuse_stale((stamp, power_w, total))
        return power_w, None if total is None else total * 60.0  # watt-minutes

    def _refuse_stale(self, shown: tuple[float | None, ...]) -> None:
        t_ns = self._site.clock_ns()
        if self._moved is None or self._moved[0] != shown:
            self._moved = (shown, t_ns)
        still_ns = t_ns - self._moved[1]
        if still_ns > _STALE_NS:
            raise self._error(
                f"the plug's answer is stale: its own time has stood still for {still_ns / 1e9:.0f} s",
                fix="restart the plug; ask it itself, not a cache in front of it",
            )


class ShellyGen2Meter(_HttpPlug):
    """A Shelly of the second generation or later: its energy counter, in steps of 0.001 Wh, and its power."""

    _name = "shelly2"
    _family = "shelly-gen2"
    _kind = "counter"
    _quantum_j = 3.6
    _quantum_w = 0.1
    _note = "Energy is the plug's own counter, in steps of 3.6 J; how often the plug brings it up to date is not known."
    _fix = (
        "check that it is a Shelly of the second generation or later with a switch that measures power, and the number of"
        " the switch (`--meter shelly2:ADDRESS?id=1`); older ones are `--meter shelly1:ADDRESS`"
    )
    _query = r"id=[0-9]{1,3}"

    def _auth(self, user: str, password: str) -> AuthBase:
        return HTTPDigestAuth(user, password)

    def _path(self) -> str:
        return f"/rpc/Switch.GetStatus?{self._address.query or 'id=0'}"

    def _decode(self, answer: Mapping[str, Any]) -> tuple[float, float | None]:
        return self._number(answer, "apower"), self._number(answer, "aenergy", "total") * 3600.0


class TasmotaMeter(_HttpPlug):
    """A plug with Tasmota: power by `Status 8`; its counter, in steps of 0.001 kWh, is stored beside."""

    _name = "tasmota"
    _family = "tasmota"
    _quantum_j = 3600.0
    _quantum_w = 1.0
    _note = (
        "Energy is integrated from power; the plug's own counter steps by 3600 J and is a cross-check only. Power steps by 1 W"
        " unless the plug is told `WattRes 1` or more."
    )
    _fix = "check that it is a plug with Tasmota that measures power: `Status 8` in its console must show ENERGY"

    def _path(self) -> str:
        path = "/cm?cmnd=Status%208"
        if self._session.auth is None:
            return path
        # Older versions know user and password only here; newer ones take them as a header.
        user, password = self._address.user or "admin", self._address.password or ""
        return f"{path}&user={quote(user, safe='')}&password={quote(password, safe='')}"

    def _decode(self, answer: Mapping[str, Any]) -> tuple[float, float | None]:
        warning = dig(answer, "WARNING")
        if warning is not None:
            raise self._refused(f"it says {str(warning)[:80]!r}")
        power = dig(answer, "StatusSNS", "ENERGY", "Power")
        if isinstance(power, list):
            raise self._error(
                f"the plug measures {len(power)} channels, and which of them is meant is not known",
                fix="use a plug with one channel",
            )
        total_kwh = self._number_or_none(answer, "StatusSNS", "ENERGY", "Total")
        power_w = self._number(answer, "StatusSNS", "ENERGY", "Power")
        return power_w, None if total_kwh is None else total_kwh * 3_600_000.0
