"""Numbers in hand-made text, and in what Babel writes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.texts.numerals import numbers, rewrite_numbers
from tests.texts.norms import CA, EN, ES, EU, GL, JA, NORMS, PT


@pytest.mark.parametrize(
    ("text", "norms", "expected"),
    [
        ("1.234,5", ES, ["1234.5"]),
        ("1 234", ES, ["1234"]),
        ("1\u202f234, 1\u00a0234", CA, ["1234", "1234"]),
        ("12 345 678,9", GL, ["12345678.9"]),
        ("En 2020 150 personas", ES, ["2020", "150"]),
        ("12 34", ES, ["12", "34"]),
        ("$18", EN, ["18"]),
        ("US$18 18€ 18.", EN, ["18", "18", "18"]),
        ("**18** (18) \\boxed{18} Answer:18", EN, ["18", "18", "18", "18"]),
        ("3/4 and 12/10/2020 at 10:30", EN, []),
        ("12 / 4 = 3", EN, ["12", "4", "3"]),
        ("-5, −5, -$5, $-7.50, x=-3", EN, ["-5", "-5", "-5", "-7.50", "-3"]),
        ("10-5=5, 5–10, COVID-19", EN, ["10", "5", "5", "5", "10", "19"]),
        ("12%", PT, ["12"]),
        ("H2O x_1 18th 5km", EN, ["18", "5"]),
        (".5 -.5 ...5", EN, ["0.5", "-0.5", "5"]),
        ("1.2.3, 1,23,456", EN, []),
        ("1, 2, 3", EN, ["1", "2", "3"]),
        ("答えは１，２３４円です。18個", JA, ["1234", "18"]),
        ("8万ドル、1.5億、２千", JA, ["80000", "150000000.0", "2000"]),
        ("2万5000円と-1億2,000万3円、3百万", JA, ["25000", "-120000003", "3000000"]),
        ("客につき.75個", JA, ["0.75"]),
        ("5万8万", JA, ["50000", "80000"]),
        ("", EN, []),
    ],
)
def test_numbers_in_the_languages_own_convention(text, norms, expected):
    assert [str(n) for n in numbers(text, norms)] == expected


@pytest.mark.parametrize(
    ("text", "norms", "expected"),
    [
        ("1,000", EN, "1000"),
        ("1,000", ES, "1000"),
        ("1.000", ES, "1000"),
        ("1,234", ES, "1.234"),
        ("1.234", EN, "1.234"),
        ("1,234", EN, "1234"),
        ("1.234", EU, "1234"),
        ("1,234.5", ES, "1234.5"),
        ("1.234,5", EN, "1234.5"),
        ("1,234,567", ES, "1234567"),
        ("1.234.567", EN, "1234567"),
        ("3.5", ES, "3.5"),
        ("3,5", EN, "3.5"),
        ("0.125", ES, "0.125"),
        ("0.000", EN, "0.000"),
        ("1234.500", ES, "1234.500"),
        ("1 234.5", ES, "1234.5"),
    ],
)
def test_the_other_convention_is_read_where_it_is_clear(text, norms, expected):
    assert [str(n) for n in numbers(text, norms)] == [expected]


@pytest.mark.parametrize("norms", NORMS.values(), ids=NORMS)
def test_where_answers_are_whole_three_digits_after_a_mark_are_a_group(norms):
    assert numbers("57,500 57.500 2,5", norms, whole=True) == (Decimal(57500), Decimal(57500), Decimal("2.5"))


@pytest.mark.parametrize("locale", ["en", "es", "pt_PT", "ca", "gl", "eu", "ja", "fr"])
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_reads_what_babel_writes_from_cldr(locale, value):
    text = f"= {format_decimal(value, '#,##0.00', locale=locale)} ."
    assert numbers(text, NORMS[locale[:2]]) == (value,)


def test_rewriting_keeps_everything_else():
    assert rewrite_numbers("de 1.234,5 a 2 000 (3/4)", ES) == "de 1234.5 a 2000 (3/4)"
    assert rewrite_numbers("1.5", EN, point="_") == "1_5"
    assert rewrite_numbers("１，２３４円", JA) == "1234円"
