import numpy as np
import pytest

from mobiconvert.parity import HIGHEST_SQNR_DB, measure_parity


def test_measure_parity_when_worked_by_hand_then_equal() -> None:
    reference = np.array([[3.0, 4.0], [0.0, -5.0]])
    actual = np.array([[3.0, 4.0], [0.5, -5.0]], dtype=np.float32)
    parity = measure_parity(reference, actual)
    assert parity.images == 2
    assert parity.top1_agreement == 1.0
    assert parity.max_abs_error == 0.5
    assert parity.relative_error == pytest.approx(0.1)
    assert parity.sqnr_db == pytest.approx(10 * np.log10(50 / 0.25))


def test_measure_parity_when_equal_then_sqnr_is_finite() -> None:
    logits = np.eye(3)
    assert measure_parity(logits, logits.astype(np.float32)).sqnr_db == HIGHEST_SQNR_DB


def test_measure_parity_when_the_artefact_is_not_a_number_then_no_bound_holds() -> None:
    parity = measure_parity(np.eye(2), np.full((2, 2), np.nan, dtype=np.float32))
    assert not parity.relative_error <= 1.0
