"""What doctor says of this machine and of others, what must be mended, and that it starts without the engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from evalsuite.cli import doctor_checks
from evalsuite.cli.doctor import _engine
from evalsuite.cli.doctor_checks import Check, kernels, main_checks, measurements, show
from evalsuite.cli.main import app
from evalsuite.meters import thermal
from evalsuite.meters.source import MeterError, Site
from evalsuite.profiling.power import AUTOMATIC
from evalsuite.records import Device

FLAGS = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | AVX512 = 0 | REPACK = 1"
MEASURED = {
    *(f"power by `{name}`" for name in AUTOMATIC), "power by other meters", "temperature", "clock frequency",
    "signs of throttling", "peak of memory by phase", "proof of memory under a limit", "quiet now", "steady clocks",
    "on mains power", "a machine of its own",
}  # fmt: skip


def device(**fields):
    plain = {
        "cpu": "Example", "architecture": "x86_64", "cores_physical": 2, "cores_logical": 2, "ram_bytes": 2**34,
        "os": "Debian", "kernel": "6.1", "governor": "performance", "supply": "ac",
    }  # fmt: skip
    return Device.model_validate(plain | fields)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What doctor says of this very machine, and the heavy packages that it imported."""
    code = (
        "import json, sys\n"
        "from typer.testing import CliRunner\n"
        "from evalsuite.cli.main import app\n"
        "done = CliRunner().invoke(app, ['doctor', '--json'])\n"
        "heavy = [m for m in ('torch', 'transformers', 'datasets', 'lm_eval', 'llama_cpp') if m in sys.modules]\n"
        "print(json.dumps([done.exit_code, json.loads(done.stdout), heavy]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_check_says_yes_or_no_with_a_reason(told):
    code, found, _ = told
    checks = {check["what"]: check for check in found["checks"]}
    assert set(checks) == {"llama.cpp", "catalog", "data mirror", "free space", "engine's build", *MEASURED}
    assert all(check["told"] for check in checks.values())
    assert all((check["state"] == "mend") is not check["ok"] for check in checks.values())
    assert not [what for what, check in checks.items() if check["state"] == "yes" and check["fix"]]
    assert not [what for what in MEASURED if checks[what]["state"] == "mend"]
    assert code == (1 if "mend" in {check["state"] for check in checks.values()} else 0)


def test_doctor_imports_nothing_heavy_itself(told):
    assert told[2] == []


def test_the_engine_tells_what_it_was_built_with(told):
    pytest.importorskip("llama_cpp")
    assert " = 1" in told[1]["engine_flags"]
    assert "flags:" not in next(check["told"] for check in told[1]["checks"] if check["what"] == "llama.cpp")


@pytest.fixture
def without_engine(tmp_path, monkeypatch):
    """A Python that has no llama-cpp-python, as seen by the process that tries it."""
    (tmp_path / "llama_cpp.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'llama_cpp'\")\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("without_engine")
def test_a_missing_engine_must_be_mended_and_the_rest_is_told_all_the_same(monkeypatch):
    monkeypatch.setattr(doctor_checks, "_LOAD_S", 0.01)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    at = lines.index("MEND llama.cpp: ModuleNotFoundError: No module named 'llama_cpp'")
    assert lines[at + 1].startswith("     fix: build llama-cpp-python as docs/install.md says")
    assert "no   engine's build: not known: llama.cpp did not start" in lines
    assert any(line.startswith("yes  power by other meters: a plug with --meter shelly1:ADDRESS") for line in lines)


def test_an_engine_that_crashes_must_be_mended(tmp_path, monkeypatch):
    (tmp_path / "llama_cpp.py").write_text(
        "__version__ = '0'\nllama_print_system_info = lambda: b'CPU : AVX = 1 |'\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("evalsuite.cli.doctor._TRY", _TRY_AND_CRASH)
    check, flags = _engine()
    assert (check.state, flags) == ("mend", "CPU : AVX = 1")
    assert "crashed while it evaluated a model" in check.told
    assert check.fix is not None


_TRY_AND_CRASH = """
import llama_cpp, os, signal
print("flags:", llama_cpp.llama_print_system_info().decode().strip(" |"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


# --- the main job


def test_no_space_and_a_mirror_that_is_not_there_must_be_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path / "gone"))
    catalog, mirror, space = main_checks(tmp_path, 2**30)
    assert (catalog.state, mirror.state, space.state) == ("yes", "mend", "mend")
    assert mirror.fix is not None and "EVALSUITE_DATA" in mirror.fix
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path))
    assert [check.state for check in main_checks(tmp_path, 2**30 + 1)] == ["yes"] * 3


@pytest.mark.parametrize(
    ("features", "flags", "state", "told"),
    [
        (("avx2", "fma", "f16c"), FLAGS, "yes", "AVX2 = 1"),
        (("avx2", "avx512f"), FLAGS, "no", "without AVX512, which"),
        (("asimd", "i8mm"), "CPU : NEON = 1 | DOTPROD = 1", "no", "without MATMUL_INT8, which"),
        (("amx_int8", "avx2"), FLAGS, "yes", "AVX2 = 1"),
        (("avx2",), "", "no", "not known"),
    ],
)
def test_a_build_that_leaves_out_what_the_processor_has_is_told(features, flags, state, told):
    check = kernels(device(features=features), flags)
    assert check.state == state
    assert told in check.told


# --- other machines


def place(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


def not_there(command):
    raise MeterError(f"the command {command[0]} is not installed")


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Return what gives the checks of a machine whose files are made here."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    thermal._nvml.cache_clear()
    monkeypatch.setattr(doctor_checks, "_LOAD_S", 0.0)

    def measure(files=(), clock_ns=time.monotonic_ns, **fields):
        place(tmp_path, dict(files))
        machine = device(cores_logical=1, **fields)
        return {check.what: check for check in measurements(Site(tmp_path, not_there, clock_ns), machine)}

    yield measure
    thermal._nvml.cache_clear()


BOARD = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal", "sys/class/thermal/thermal_zone0/temp": "48312",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2400000",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3",
    "sys/class/power_supply/BAT0/type": "Battery", "sys/class/power_supply/BAT0/status": "Discharging",
    "sys/class/power_supply/BAT0/power_now": "7250000",
    "proc/self/clear_refs": "",
}  # fmt: skip


def test_a_machine_that_shows_its_state_can_be_measured(look):
    found = look(BOARD.items(), supply="battery", governor="ondemand", power_mode="15W (0)")
    assert set(found) == MEASURED
    assert found["power by `battery`"].told == "the battery gives 7.25 W"
    assert found["power by `rapl`"].state == "no"
    assert found["temperature"] == Check("temperature", "yes", "1 sensors, cpu-thermal at 48 °C")
    # 1500 MHz of 2400 MHz.
    assert found["clock frequency"].told == "1500 MHz, 62 % of the hardware's highest"
    assert found["signs of throttling"] == Check("signs of throttling", "yes", "processor throttle counters")
    assert found["peak of memory by phase"].state == "yes"
    assert found["steady clocks"].state == "no"
    assert found["steady clocks"].told == "governor ondemand, power mode 15W (0)"
    assert found["on mains power"].state == "no"
    assert "(battery: Discharging)" in found["on mains power"].told
    assert found["a machine of its own"].state == "yes"


def test_a_machine_that_shows_nothing_says_why_and_what_would_help(look):
    found = look(container="docker", virtual_machine="QEMU", governor=None, supply=None)
    for what in MEASURED - {"power by other meters"}:
        assert found[what].state == "no", what
        assert found[what].told
        assert found[what].fix or what == "power by `apple`"
    assert found["temperature"].fix == "measure on the machine itself: it is hidden here (QEMU)"
    assert found["proof of memory under a limit"].told
    assert found["quiet now"].told == f"process {os.getpid()} could not be read at the first look"
    assert "a container (docker) in a virtual machine (QEMU)" in found["a machine of its own"].told


def test_steady_clocks_and_mains_power_are_well(look):
    found = look()
    assert (found["steady clocks"].state, found["on mains power"].state) == ("yes", "yes")


STAT = "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 {busy} 0 0 {idle} 0 0 0 0 0 0\nprocs_running 1"


@pytest.mark.parametrize(
    ("busy", "state", "told"), [(1001, "yes", "0.01 cores"), (1060, "no", "0.60 cores were busy with other")]
)
def test_what_other_processes_do_now_is_told(tmp_path, monkeypatch, look, busy, state, told):
    own = f"{os.getpid()} (x) S 1 {' '.join('0' * 48)}"
    files = {f"proc/{os.getpid()}/stat": own, "proc/stat": STAT.format(busy=1000, idle=0)}

    def a_second_later(_):
        place(tmp_path, {"proc/stat": STAT.format(busy=busy, idle=100)})
        times.append(10**9)

    times = [0]
    monkeypatch.setattr(time, "sleep", a_second_later)
    check = look(files.items(), clock_ns=lambda: times[-1])["quiet now"]
    assert (check.state, told in check.told) == (state, True), check


def test_lines_are_yes_no_or_mend_and_the_fix_stands_below(capsys):
    show([Check("a", "yes", "there", "not shown"), Check("b", "no", "missing", "get it"), Check("c", "mend", "broken")])
    assert capsys.readouterr().out == "yes  a: there\nno   b: missing\n     fix: get it\nMEND c: broken\n"
