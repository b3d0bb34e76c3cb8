"""A cap on memory: with real groups where this machine lets us make them, and with copies of both versions' trees."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from evalsuite.meters import memory_cap
from evalsuite.meters.memory_cap import Ended, try_cap
from evalsuite.meters.source import MeterError

MIB = 1024**2
HOLD_64_MIB = "import sys; x = bytearray(64 * 2**20); x[::4096] = b'1' * (len(x) // 4096); print('alive')"
V2_FILES = {
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.peak": "31457280\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n",
    "cgroup.procs": "",
    "cgroup.kill": "",
}
V1_FILES = {
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.memsw.limit_in_bytes": "9223372036854771712\n",
    "memory.swappiness": "60\n",
    "memory.max_usage_in_bytes": "20971520\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "cgroup.procs": "",
}
SESSION = "user.slice/session-2.scope"
SYSTEMD_RUN = '#!/bin/sh\necho "$@" >"{log}"\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n'


@pytest.fixture
def kernel(monkeypatch):
    """Make and remove groups as the kernel does: with their files. Holds what was in each group when it was removed."""
    groups: dict[str, str] = {}
    removed = {}

    def mkdir(group):
        group.mkdir()
        for name, text in groups.items():
            (group / name).write_text(text, encoding="utf-8")

    def rmdir(group):
        removed[group] = {path.name: path.read_text(encoding="utf-8").strip() for path in group.iterdir()}
        shutil.rmtree(group)

    monkeypatch.setattr(memory_cap, "_mkdir", mkdir)
    monkeypatch.setattr(memory_cap, "_rmdir", rmdir)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    monkeypatch.setattr("evalsuite.meters.memory_cap.shutil.which", without_systemd(shutil.which))
    return groups, removed


def without_systemd(which):
    return lambda name: None if name == "systemd-run" else which(name)


def machine(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def version_2(root, control="cpu memory pids"):
    """A session whose own group holds processes: only its parent shares out controllers."""
    folder = root / "sys/fs/cgroup"
    (folder / SESSION).mkdir(parents=True)
    (folder / "user.slice/cgroup.subtree_control").write_text(f"{control}\n", encoding="utf-8")
    (folder / SESSION / "cgroup.subtree_control").write_text("\n", encoding="utf-8")
    return machine(root, proc__self__cgroup=f"0::/{SESSION}\n")


def version_1(root):
    (root / "sys/fs/cgroup/memory/docker/3f9a").mkdir(parents=True)
    (root / "sys/fs/cgroup/unified").mkdir()
    return machine(root, proc__self__cgroup="9:name=systemd:/\n4:memory:/docker/3f9a\n1:cpu:/\n0::/\n")


def test_version_2_is_set_up_used_and_removed(tmp_path, kernel):
    groups, removed = kernel
    groups.update(V2_FILES)
    result = try_cap(["sh", "-c", "echo here; exit 3"], 32 * MIB, timeout_s=10, root=version_2(tmp_path))
    assert result.method == "cgroup2"
    assert (result.held, result.exit_code, result.oom_killed, result.timed_out) == (False, 3, False, False)
    assert (result.peak_bytes, result.output) == (30 * MIB, "here\n")
    assert (result.note, result.reason) == (None, None)
    ((group, files),) = removed.items()
    # Beside our own group, not in it.
    assert group.parent == tmp_path / "sys/fs/cgroup/user.slice"
    assert (files["memory.max"], files["memory.swap.max"]) == (str(32 * MIB), "0")
    assert files["cgroup.procs"].isdigit()
    assert files["cgroup.kill"] == "1"
    assert not list(tmp_path.rglob("evalsuite-*"))


def test_version_1_forbids_swap_with_the_sum_of_both(tmp_path, kernel):
    groups, removed = kernel
    groups.update(V1_FILES)
    result = try_cap(["true"], 32 * MIB, timeout_s=10, root=version_1(tmp_path))
    assert (result.method, result.held, result.oom_killed) == ("cgroup1", True, True)
    assert result.peak_bytes == 20 * MIB
    ((group, files),) = removed.items()
    assert group.parent == tmp_path / "sys/fs/cgroup/memory/docker/3f9a"
    assert files["memory.limit_in_bytes"] == files["memory.memsw.limit_in_bytes"] == str(32 * MIB)
    assert files["memory.swappiness"] == "60"


@pytest.mark.parametrize(("missing", "swappiness", "note"), [
    (("memory.memsw.limit_in_bytes",), "0", None),
    (("memory.memsw.limit_in_bytes", "memory.swappiness"), None, "swap could not be forbidden"),
])  # fmt: skip
def test_without_the_sum_swap_is_forbidden_otherwise_or_noted(tmp_path, kernel, missing, swappiness, note):
    groups, removed = kernel
    groups.update({name: text for name, text in V1_FILES.items() if name not in missing})
    result = try_cap(["true"], 32 * MIB, timeout_s=10, root=version_1(tmp_path))
    (files,) = removed.values()
    assert files.get("memory.swappiness") == swappiness
    assert result.note == note


def test_in_a_container_the_mount_stands_for_its_own_group(tmp_path, kernel):
    groups, removed = kernel
    groups.update(V1_FILES)
    version_1(tmp_path)
    machine(tmp_path, proc__self__cgroup="4:cpu,memory:/kubepods/pod7/3f9a\n0::/\n")
    assert try_cap(["true"], MIB, timeout_s=10, root=tmp_path).method == "cgroup1"
    assert next(iter(removed)).parent == tmp_path / "sys/fs/cgroup/memory"


def test_version_1_is_taken_where_version_2_refuses(tmp_path, kernel):
    groups, removed = kernel
    groups.update(V1_FILES)
    version_1(tmp_path)
    (tmp_path / "sys/fs/cgroup/unified/cgroup.subtree_control").write_text("memory\n", encoding="utf-8")
    assert try_cap(["true"], 32 * MIB, timeout_s=10, root=tmp_path).method == "cgroup1"
    # Both groups were made, and none is left.
    assert [group.parent.name for group in removed] == ["unified", "3f9a"]
    assert not list(tmp_path.rglob("evalsuite-*"))


@pytest.mark.parametrize(("ended", "events", "killed"), [
    (Ended(-9, "", 1.0), V2_FILES["memory.events"], False),
    (Ended(-9, "", 1.0), V2_FILES["memory.events"].replace("oom_kill 0", "oom_kill 2"), True),
    (Ended(1, "", 1.0), V2_FILES["memory.events"].replace("oom_kill 0", "oom_kill 1"), True),
    (Ended(-9, "", 1.0), "", True),
    (Ended(-9, "", 1.0, timed_out=True), "", False),
    (Ended(-11, "", 1.0), "", False),
])  # fmt: skip
def test_the_kernel_s_count_says_who_was_killed_and_the_signal_where_there_is_none(
    tmp_path, kernel, ended, events, killed
):
    groups, _ = kernel
    groups.update({**V2_FILES, "memory.events": events})

    def launch(command, timeout_s):
        return Ended(0, "", 0.0) if command[-1] == "true" else ended

    result = try_cap(["sleep", "1"], MIB, timeout_s=5, root=version_2(tmp_path), launch=launch)
    assert result.oom_killed is killed
    assert (result.held, result.exit_code, result.timed_out) == (False, ended.exit_code, ended.timed_out)
    assert result.seconds == 1.0


def test_a_kernel_that_keeps_no_peak_gives_none(tmp_path, kernel):
    groups, _ = kernel
    groups.update({name: text for name, text in V2_FILES.items() if name != "memory.peak"})
    assert try_cap(["true"], MIB, timeout_s=5, root=version_2(tmp_path)).peak_bytes is None


def test_a_group_that_no_process_may_join_is_removed_and_the_command_not_run(tmp_path, kernel):
    groups, removed = kernel
    groups.update(V2_FILES)
    ran = []

    def launch(command, timeout_s):
        ran.append(command[-1])
        return Ended(125, "sh: cannot create cgroup.procs: Permission denied\n", 0.0)

    result = try_cap(["sleep", "1"], MIB, timeout_s=5, root=version_2(tmp_path), launch=launch)
    assert (result.method, result.held, result.oom_killed, result.seconds) == (None, None, None, None)
    assert "may be moved" in str(result.reason) and "Permission denied" in str(result.reason)
    assert "run as root" in str(result.fix)
    assert ran == ["true"]
    assert len(removed) == 1


def test_a_group_that_may_not_be_made_is_told(tmp_path, kernel, monkeypatch):
    def refuse(group):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(memory_cap, "_mkdir", refuse)
    result = try_cap(["true"], MIB, timeout_s=5, root=version_2(tmp_path))
    assert result.method is None
    assert "cgroup2: no group can be made in" in str(result.reason)
    assert "systemd: the command systemd-run is not installed" in str(result.reason)


def test_a_cap_that_the_kernel_does_not_take_is_no_cap(tmp_path, kernel, monkeypatch):
    groups, _ = kernel
    groups.update(V2_FILES)
    monkeypatch.setattr(memory_cap, "_text", ignoring("memory.max", memory_cap._text))
    result = try_cap(["true"], MIB, timeout_s=5, root=version_2(tmp_path))
    assert result.method is None
    assert f"memory.max holds 'max' after {MIB} was written" in str(result.reason)


def ignoring(name, read):
    return lambda path: "max" if path.name == name else read(path)


@pytest.mark.parametrize(("files", "fix"), [
    ({"proc__cmdline": "console=tty1 cgroup_disable=memory rootwait\n"}, "cgroup_enable=memory"),
    ({"proc__cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t106\t0\n"}, "cgroup_enable=memory"),
    ({"proc__cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t106\t1\n"}, "run as root"),
    ({}, "run as root"),
])  # fmt: skip
def test_a_board_whose_kernel_has_no_memory_groups_gets_the_fix_for_it(tmp_path, kernel, files, fix):
    root = machine(version_2(tmp_path, control="cpu pids"), **files)
    result = try_cap(["true"], MIB, timeout_s=5, root=root)
    assert result.method is None
    assert fix in str(result.fix)


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A systemd-run that runs the command in this process, and the group that it would have made."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemd-run"
    program.write_text(SYSTEMD_RUN.format(log=tmp_path / "arguments"), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    scope = tmp_path / "sys/fs/cgroup/app.slice/run-1.scope"
    scope.mkdir(parents=True)
    machine(tmp_path, proc__self__cgroup="0::/app.slice/run-1.scope\n")
    return scope


def test_a_scope_of_systemd_reports_before_it_is_gone(tmp_path, systemd):
    machine(systemd, **{**V2_FILES, "memory.max": f"{32 * MIB}\n"})
    result = try_cap(["sh", "-c", "echo out; kill -9 $$"], 32 * MIB, timeout_s=10, root=tmp_path)
    assert (result.method, result.held, result.exit_code, result.peak_bytes) == ("systemd", False, -9, 30 * MIB)
    # The group's own count says that it was not for want of memory.
    assert result.oom_killed is False
    assert result.output.startswith("out\n")
    given = (tmp_path / "arguments").read_text(encoding="utf-8")
    assert f"-p MemoryMax={32 * MIB} -p MemorySwapMax=0 -- sh -c" in given
    assert ("--user" in given) == (os.geteuid() != 0)


def test_a_scope_without_a_cap_does_not_run_the_command(tmp_path, systemd):
    machine(systemd, **V2_FILES)
    result = try_cap(["touch", str(tmp_path / "ran")], 32 * MIB, timeout_s=10, root=tmp_path)
    assert result.method is None
    assert "sets no cap" in str(result.reason)
    assert not (tmp_path / "ran").exists()


def test_a_systemd_that_cannot_be_reached_is_told(tmp_path, systemd):
    (tmp_path / "bin/systemd-run").write_text(
        "#!/bin/sh\necho Failed to connect to bus: No medium found\nexit 1\n", encoding="utf-8"
    )
    result = try_cap(["true"], MIB, timeout_s=10, root=tmp_path)
    assert result.method is None
    assert "Failed to connect to bus: No medium found" in str(result.reason)


@pytest.mark.parametrize(
    ("command", "limit", "told"),
    [(["true"], 0, "0 bytes"), (["no-such-command"], MIB, "no-such-command is not"), ([], MIB, r"\(none\) is not")],
)
def test_what_cannot_be_run_or_capped_is_an_error(tmp_path, command, limit, told):
    with pytest.raises(MeterError, match=told):
        try_cap(command, limit, timeout_s=1, root=tmp_path)


def test_a_command_that_hangs_is_ended_with_its_children_and_its_output_kept():
    ended = memory_cap._launch(["sh", "-c", "echo begun; sleep 60 & sleep 60"], 0.2)
    assert (ended.exit_code, ended.timed_out, ended.output) == (-9, True, "begun\n")


def test_only_the_end_of_a_long_output_is_kept():
    ended = memory_cap._launch([sys.executable, "-c", "print('x' * 200000 + 'end')"], 10.0)
    assert len(ended.output) == 64 * 1024
    assert ended.output.endswith("xend\n")


@pytest.mark.parametrize(("limit", "lives"), [(32 * MIB, False), (256 * MIB, True)])
def test_on_this_machine_64_mib_live_under_256_and_die_under_32(limit, lives):
    result = try_cap([sys.executable, "-c", HOLD_64_MIB], limit, timeout_s=30)
    if result.method is None:
        pytest.skip(f"no cap can be set here: {result.reason}")
    assert (result.held, result.oom_killed) == (lives, not lives)
    assert result.output == ("alive\n" if lives else "")
    assert result.peak_bytes is None or (64 * MIB < result.peak_bytes <= limit if lives else result.peak_bytes <= limit)
    assert result.note is None
