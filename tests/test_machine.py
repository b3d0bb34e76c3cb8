"""How many cores are used, from copies of what Linux shows on different machines and in containers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evalsuite.machine import CoreChoice, choose_cores, cpu_quota, physical_cores, usable_cores

SESSION = "0::/user.slice/user-1000.slice/session-2.scope\n"
HYBRID = "9:name=systemd:/\n4:memory:/a/b\n2:cpuacct:/\n1:cpu:/\n0::/\n"
DOCKER_V1 = "12:pids:/docker/3f9a\n5:cpu,cpuacct:/docker/3f9a\n3:cpuset:/docker/3f9a\n1:name=systemd:/docker/3f9a\n"
KUBERNETES_V1 = "5:cpu,cpuacct:/kubepods/burstable/pod7/3f9a\n"


def machine(root, cgroup=None, files=()):
    """Write /proc/self/cgroup and files under /sys/fs/cgroup."""
    texts = {f"sys/fs/cgroup/{name}": text for name, text in dict(files).items()}
    if cgroup is not None:
        texts["proc/self/cgroup"] = cgroup
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def v1(folder, quota, period=100000):
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": f"{period}\n"}


@pytest.mark.parametrize(
    ("cgroup", "files", "quota"),
    [
        (None, {}, None),
        ("", {}, None),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "25000\n"}, 0.25),
        ("0::/../../other.slice\n", {"cpu.max": "200000 100000\n"}, 2.0),
        (SESSION, {"user.slice/user-1000.slice/session-2.scope/cpu.max": "300000 100000\n"}, 3.0),
        (
            SESSION,
            {
                "user.slice/cpu.max": "max 100000\n",
                "user.slice/user-1000.slice/cpu.max": "100000 50000\n",
                "user.slice/user-1000.slice/session-2.scope/cpu.max": "max 100000\n",
            },
            2.0,
        ),
        (
            SESSION,
            {
                "user.slice/user-1000.slice/cpu.max": "400000 100000\n",
                "user.slice/user-1000.slice/session-2.scope/cpu.max": "350000 100000\n",
            },
            3.5,
        ),
        (SESSION, {"user.slice/user-1001.slice/cpu.max": "10000 100000\n"}, None),
        (HYBRID, {**v1("cpu", -1), "unified/cgroup.procs": "1\n"}, None),
        (HYBRID, v1("cpu", 250000), 2.5),
        (HYBRID, {**v1("cpu", -1), "unified/cpu.max": "120000 100000\n"}, 1.2),
        # The path is the host's; the container sees its own folder at the mount.
        (DOCKER_V1, v1("cpu,cpuacct", 150000), 1.5),
        (DOCKER_V1, v1("cpu", 50000), 0.5),
        (DOCKER_V1, v1("cpuset", 50000), None),
        (
            KUBERNETES_V1,
            {
                **v1("cpu,cpuacct/kubepods/burstable/pod7/3f9a", 400000),
                **v1("cpu,cpuacct/kubepods/burstable/pod7", 300000),
                **v1("cpu,cpuacct", -1),
            },
            3.0,
        ),
        (DOCKER_V1, {"cpu/cpu.cfs_quota_us": "200000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "150000 0\n"}, None),
        ("0::/\n", {"cpu.max": "\n"}, None),
        ("0::/\n", {"cpu.max": "many 100000\n"}, None),
        ("no such format\n", {"cpu.max": "100000 100000\n"}, None),
    ],
)
def test_the_least_limit_of_a_cgroup_and_its_ancestors_counts(tmp_path, cgroup, files, quota):
    assert cpu_quota(machine(tmp_path, cgroup, files)) == quota


def test_physical_cores_behind_processors(tmp_path):
    for number, siblings in enumerate(["0,4", "1,5", "2,6", "3,7"] * 2):
        path = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list"
        path.parent.mkdir(parents=True)
        path.write_text(f"{siblings}\n", encoding="utf-8")
    assert physical_cores(range(8), tmp_path) == 4
    assert physical_cores([0, 4], tmp_path) == 1
    assert physical_cores([0, 1], tmp_path) == 2
    assert physical_cores([0, 8], tmp_path) is None
    assert physical_cores([], tmp_path) is None
    assert physical_cores([0], tmp_path / "elsewhere") is None


EIGHT = {"allowed": 8, "installed": 8, "allowed_physical": 4, "physical": 4, "quota": None}


@pytest.mark.parametrize(
    ("facts", "choice"),
    [
        ({}, CoreChoice(4, "4 physical cores")),
        ({"allowed": 2, "allowed_physical": 2}, CoreChoice(2, "affinity: 2 of 4 physical cores")),
        ({"allowed": 2, "allowed_physical": 1}, CoreChoice(1, "affinity: 1 of 4 physical cores")),
        ({"allowed": 2, "allowed_physical": None}, CoreChoice(2, "affinity: 2 of 4 physical cores")),
        # A mask that leaves one thread of each core takes nothing away.
        ({"allowed": 4, "allowed_physical": 4}, CoreChoice(4, "4 physical cores")),
        ({"quota": 2.9}, CoreChoice(2, "cgroup limit 2.9")),
        ({"quota": 1.5}, CoreChoice(1, "cgroup limit 1.5")),
        ({"quota": 0.25}, CoreChoice(1, "cgroup limit 0.25")),
        ({"quota": 4.0}, CoreChoice(4, "4 physical cores")),
        ({"quota": 6.0}, CoreChoice(4, "4 physical cores")),
        ({"quota": 1.5, "allowed": 1, "allowed_physical": 1}, CoreChoice(1, "affinity: 1 of 4 physical cores")),
        ({"physical": None, "allowed_physical": None}, CoreChoice(8, "8 processors")),
        ({"physical": None, "allowed_physical": None, "allowed": 3}, CoreChoice(3, "affinity: 3 of 8 processors")),
        ({"allowed": 1, "installed": 1, "allowed_physical": 1, "physical": 1}, CoreChoice(1, "1 physical core")),
        ({"allowed": 1, "installed": 1, "allowed_physical": 1, "physical": 1, "quota": 0.5}, CoreChoice(1, "cgroup limit 0.5")),
        # Some virtual machines report no allowed processor or more cores than processors.
        ({"allowed": 0, "allowed_physical": None}, CoreChoice(1, "affinity: 1 of 4 physical cores")),
        ({"allowed": 2, "installed": 2, "allowed_physical": 2, "physical": 4}, CoreChoice(2, "2 physical cores")),
    ],
)  # fmt: skip
def test_the_choice_and_its_reason(facts, choice):
    assert choose_cores(**{**EIGHT, **facts}) == choice


def test_this_machine():
    choice = usable_cores()
    assert 1 <= choice.count <= (os.cpu_count() or 1)
    assert choice.reason


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_a_process_that_is_held_to_one_processor():
    first = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{first}}})\n"
        "from evalsuite.machine import usable_cores; print(usable_cores().count)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
