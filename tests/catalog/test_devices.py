"""The devices that ship, with the arithmetic of their estimates, and the user's own."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from evalsuite.catalog.devices import DeviceBudget, load_budgets
from evalsuite.errors import CatalogError
from tests.helpers import ROOT

GIB, MIB, KIB = 1024**3, 1024**2, 1024
MINE = """\
my-board:
  name: My board
  ram_bytes: 2000
  free_bytes: 1500
  basis: estimate
  how: A guess.
"""


def write(folder, text, name="mine.yaml"):
    path = folder / "devices" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_the_devices_that_people_ask_about_are_there():
    ram = {key: budget.ram_bytes // GIB for key, budget in load_budgets().items()}
    assert ram == {
        "raspberry-pi-4-2gb": 2, "raspberry-pi-4-4gb": 4, "raspberry-pi-4-8gb": 8,
        "raspberry-pi-5-4gb": 4, "raspberry-pi-5-8gb": 8, "raspberry-pi-5-16gb": 16,
        "jetson-nano-4gb": 4, "jetson-orin-nano-8gb": 8,
        "phone-4gb": 4, "phone-6gb": 6, "phone-8gb": 8, "laptop-16gb": 16,
    }  # fmt: skip
    assert all(budget.ram_bytes % GIB == 0 for budget in load_budgets().values())


def test_every_shipped_figure_says_where_it_comes_from():
    for key, budget in load_budgets().items():
        assert budget.id == key
        assert str(budget.source).startswith("https://")
        # An estimate shows its arithmetic.
        assert budget.basis == "reported" or " = " in budget.how


# What is not available of a Raspberry Pi 4 of 4 GB, less the 1/64 of it that describes its pages.
FIXED_PI4 = 4 * MIB - 3537772 - 4 * MIB // 64
# What the kernel of a Raspberry Pi 5 of 8 GB cannot use, less the 1/256 of it that describes its pages.
FIXED_PI5 = 8 * MIB - (8384512 - 159360) - 8 * MIB // 256


@pytest.mark.parametrize(("key", "free_kib"), [
    ("raspberry-pi-4-2gb", 2 * MIB - FIXED_PI4 - 2 * MIB // 64),
    ("raspberry-pi-4-4gb", 3537772),
    ("raspberry-pi-4-8gb", 8 * MIB - FIXED_PI4 - 8 * MIB // 64),
    ("raspberry-pi-5-4gb", 4 * MIB - FIXED_PI5 - 4 * MIB // 256 - 300 * KIB),
    ("raspberry-pi-5-8gb", 8 * MIB - FIXED_PI5 - 8 * MIB // 256 - 300 * KIB),
    ("raspberry-pi-5-16gb", 16 * MIB - FIXED_PI5 - 16 * MIB // 256 - 300 * KIB),
    ("jetson-nano-4gb", (3964 - 717) * KIB),
])  # fmt: skip
def test_the_free_memory_of_a_board_follows_from_its_readings(key, free_kib):
    budget = load_budgets()[key]
    assert budget.free_bytes == free_kib * KIB
    assert budget.basis == "reported" or f"= {free_kib} kB" in budget.how


def test_the_free_memory_of_the_others_follows_from_their_readings():
    budgets = load_budgets()
    assert budgets["jetson-orin-nano-8gb"].free_bytes == int(6.6 * GIB)
    assert budgets["laptop-16gb"].free_bytes == 16 * GIB - 3_700_000_000 - GIB // 2
    assert [budgets[f"phone-{size}gb"].free_bytes / 1e9 for size in (4, 6, 8)] == [0.945, 3.12, 3.4]


def test_the_folder_is_shipped():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"]["force-include"]["devices"] == "evalsuite/_data/devices"
    assert "devices" in build["sdist"]["include"]


def test_the_user_s_devices_add_and_replace(tmp_path):
    shipped = load_budgets()
    mine = write(tmp_path, MINE + MINE.replace("my-board", "phone-4gb"))
    budgets = load_budgets([mine, tmp_path / "absent"])
    assert list(budgets) == [*shipped, "my-board"]
    assert budgets["my-board"].free_bytes == budgets["phone-4gb"].free_bytes == 1500
    assert budgets["my-board"].source is None


@pytest.mark.parametrize(("old", "new", "told"), [
    ("free_bytes: 1500", "free_bytes: 2000", "mine.yaml:1: free_bytes (2000) must be less than ram_bytes (2000)"),
    ("basis: estimate", "basis: reported", "a reported figure needs its `source`"),
    ("basis: estimate", "basis: measured", "mine.yaml:5: basis: input should be 'reported' or 'estimate'"),
    ("free_bytes: 1500", "free_bytes: 0", "mine.yaml:4: free_bytes: input should be greater than 0 (given: 0)"),
    ("  free_bytes: 1500\n", "", "mine.yaml:1: free_bytes: is missing"),
    ("how: A guess.", "how: ''", "mine.yaml:6: how: string should have at least 1 character"),
    ("how:", "why: x\n  how:", "mine.yaml:6: why: unknown field"),
    ("how:", "id: x\n  how:", "mine.yaml:6: my-board: the key is the id already"),
    ("my-board:", "my board:", "mine.yaml:1: id: string should match pattern"),
    ("my-board:", "other: 3\nmy-board:", "mine.yaml:1: other: must hold the device's fields, not 3"),
])  # fmt: skip
def test_a_wrong_device_is_told_with_file_line_and_field(tmp_path, old, new, told):
    with pytest.raises(CatalogError) as caught:
        load_budgets([write(tmp_path, MINE.replace(old, new))])
    assert told in str(caught.value)


def test_a_device_cannot_be_changed():
    budget = load_budgets()["phone-4gb"]
    with pytest.raises(ValidationError, match="frozen"):
        budget.free_bytes = 1
    assert isinstance(budget, DeviceBudget)
