"""Reads Kasa plugs that still speak TP-Link's first local protocol: power at the wall."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from evalsuite.meters.plugs import Plug, PlugAddress, dig
from evalsuite.meters.source import MeterError, Site

__all__ = ["KasaMeter"]

_PORT = 9999
_FIRST_KEY = 171
_REQUEST = json.dumps({"emeter": {"get_realtime": {}}}, separators=(",", ":")).encode()


class KasaMeter(Plug):
    """A Kasa plug with an energy meter: its power; its counter, in steps of 1 Wh, is stored beside.

    The protocol is a length of 4 bytes (big-endian) and JSON text, each byte XORed with the encrypted byte before it. Two ways of
    naming the fields are in use: `power` (W) and `total` (kWh), or `power_mw` and `total_wh`.
    """

    _name: ClassVar[str] = "kasa"
    _family: ClassVar[str] = "kasa"
    _quantum_j: ClassVar[float] = 3600.0
    _quantum_w: ClassVar[float] = 0.001
    _note: ClassVar[str] = (
        "Energy is integrated from power; the plug's own counter steps by 3600 J and is a cross-check only."
    )
    _fix: ClassVar[str] = (
        "check that it is a single Kasa plug with an energy meter, such as HS110 or KP115; power strips are not supported"
    )

    def __init__(self, site: Site, address: PlugAddress) -> None:
        super().__init__(site, address)
        if address.user is not None or address.password is not None:
            raise self._error(
                "a Kasa plug takes neither user nor password",
                fix="give `--meter kasa:HOST` or `--meter kasa:HOST:PORT`",
            )

    def close(self) -> None:
        """Do nothing: each look has a connection of its own."""

    def _ask(self) -> Mapping[str, Any]:
        deadline = time.monotonic() + self.timeout_s
        where = (self._address.host, self._address.port or _PORT)
        message = len(_REQUEST).to_bytes(4, "big") + _encrypt(_REQUEST)
        try:
            with socket.create_connection(where, timeout=self.timeout_s) as connection:
                connection.sendall(message)
                length = int.from_bytes(self._receive(connection, 4, deadline), "big")
                if not 0 < length <= self.max_bytes:
                    raise self._error(f"the plug announces an answer of {length} bytes, which is no Kasa answer")
                body = self._receive(connection, length, deadline)
        except ConnectionRefusedError:
            raise self._no_legacy(where[1]) from None
        except (OSError, ValueError) as error:  # a malformed host is a ValueError
            raise self._unreachable(error) from None
        return self._parse(_decrypt(body))

    def _receive(self, connection: socket.socket, size: int, deadline: float) -> bytes:
        """Return exactly so many bytes; the deadline is for all of them, so that a trickle does not hold us up."""
        got = bytearray()
        while len(got) < size:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            part = connection.recv(size - len(got))
            if not part:
                raise self._error(f"the plug closed the connection after {len(got)} of {size} bytes")
            got += part
        return bytes(got)

    def _no_legacy(self, port: int) -> MeterError:
        return self._error(
            f"nothing listens on port {port}: the address is wrong, or the plug has newer firmware with the KLAP protocol,"
            " which is not supported",
            fix="check the address; if it is right, use a Kasa plug with older firmware (and keep it from updating itself),"
            " or a Shelly or Tasmota plug: `--meter shelly2:ADDRESS`",
        )

    def _decode(self, answer: Mapping[str, Any]) -> tuple[float, float | None]:
        reading = dig(answer, "emeter", "get_realtime")
        for part in (dig(answer, "emeter"), reading):
            code = dig(part, "err_code")
            if code is not None and code != 0:
                told = dig(part, "err_msg") or "no message"
                raise self._error(f"the plug answers with error {str(code)[:20]} ({str(told)[:80]})")
        if dig(reading, "power_mw") is not None:
            total_wh = self._number_or_none(reading, "total_wh")
            return self._number(reading, "power_mw") / 1e3, None if total_wh is None else total_wh * 3600.0
        total_kwh = self._number_or_none(reading, "total")
        return self._number(reading, "power"), None if total_kwh is None else total_kwh * 3_600_000.0


def _encrypt(plain: bytes) -> bytes:
    key, out = _FIRST_KEY, bytearray()
    for byte in plain:
        key ^= byte
        out.append(key)
    return bytes(out)


def _decrypt(secret: bytes) -> bytes:
    keys = bytes([_FIRST_KEY]) + secret  # one more than is needed
    return bytes(byte ^ key for byte, key in zip(secret, keys, strict=False))
