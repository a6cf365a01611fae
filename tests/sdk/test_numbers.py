import pytest

from mobisdk.latency.stats import Quantile
from mobisdk.report.numbers import format_interval_ms, format_ms, format_ratio


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (1_234_567, 1_209_000, 1_260_000, "1.23 [1.21, 1.26]"),
        (1_234_567, 1_224_000, 1_246_000, "1.235 [1.224, 1.246]"),  # a half-width of 0.011 keeps the digit after its 1
        (45_230_000, 41_800_000, 48_600_000, "45 [42, 49]"),
        (812_345_678, 812_333_000, 812_358_000, "812.3 [812.3, 812.4]"),  # four digits at most
        (12_300, 12_100, 12_500, "0.0123 [0.0121, 0.0125]"),
        (7_000_000, 7_000_000, 7_000_000, "7.000 [7.000, 7.000]"),
        (97_000_000_000, 90_000_000_000, 104_000_000_000, "97000 [90000, 104000]"),
        (1_512_000, 480_000, 4_600_000, "1.5 [0.5, 4.6]"),  # two at least
        (1_234_567, None, None, "1.23"),
        (0, None, None, "0.000000"),
    ],
)
def test_milliseconds_have_the_digits_that_their_interval_carries(
    value: int, low: int | None, high: int | None, text: str
) -> None:
    assert format_interval_ms(Quantile(value, low, high, None)) == text


def test_no_quantile_is_an_empty_cell() -> None:
    assert (format_ms(None), format_interval_ms(None)) == ("", "")


@pytest.mark.parametrize(("ratio", "text"), [(1.04, "1.0"), (6.14, "6.1"), (15.6, "16"), (123.4, "123")])
def test_ratio_has_two_digits(ratio: float, text: str) -> None:
    assert format_ratio(ratio) == text
