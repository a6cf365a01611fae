import numpy as np
import pytest

from mobisdk.errors import ConfigError
from mobisdk.latency.design import choose_to_measure
from mobisdk.latency.layer_features import KINDS, read_layers
from mobisdk.latency.roofline import RATES, SPREADS, Place, Prior, fit_roofline, likeness, linearize, typical_prior
from mobisdk.specs import ModelSpec

GRID = [(alpha, resolution) for alpha in (0.25, 0.5, 0.75, 1.0) for resolution in (96, 128, 160, 224)]


def place(alpha: float, resolution: int, arch: str = "mobilenet_v1") -> Place:
    return Place(read_layers(ModelSpec(arch=arch, alpha=alpha, resolution=resolution)), arch, alpha, resolution)


def time_by_hand(where: Place, rates: np.ndarray) -> float:
    """Nanoseconds, layer by layer, as the module's docstring says it."""
    total = rates[6]
    for kind, macs, moved in where.layers:
        total += ((macs * rates[int(kind)]) ** 2 + (moved * rates[4]) ** 2) ** 0.5 + rates[5]
    return float(total)


RATES_OF_A_PHONE = np.array([0.02, 0.15, 0.04, 0.3, 0.1, 2500.0, 40_000.0])
PLACES = [place(*dials) for dials in GRID]
LOG_NS = np.log([time_by_hand(where, RATES_OF_A_PHONE) for where in PLACES])


def test_layers_of_a_network_have_its_multiply_adds() -> None:
    layers = read_layers(ModelSpec(alpha=1.0, resolution=224))
    assert layers[:, 1].sum() == 568_740_352  # Howard et al. 2017, table 4
    assert len(layers) == 28
    kinds = [KINDS[int(kind)] for kind in layers[:, 0]]
    assert kinds == ["conv", *["depthwise", "conv1x1"] * 13, "dense"]
    assert layers[0, 2] == 3 * 224**2 + 32 * 112**2 + 3 * 9 * 32  # image in, map out, weights


def test_roofline_is_the_sum_over_layers() -> None:
    value, _ = linearize(PLACES, np.log(RATES_OF_A_PHONE))
    assert value == pytest.approx(LOG_NS, abs=1e-12)


def test_slope_is_the_difference_of_a_small_step() -> None:
    rates = np.log(RATES_OF_A_PHONE)
    _, slope = linearize(PLACES, rates)
    for rate in range(RATES):
        step = np.zeros(RATES)
        step[rate] = 1e-6
        numeric = (linearize(PLACES, rates + step)[0] - linearize(PLACES, rates - step)[0]) / 2e-6
        assert slope[:, rate] == pytest.approx(numeric, abs=1e-8)


def test_device_of_this_shape_is_learnt_from_eight_networks() -> None:
    rng = np.random.default_rng(0)
    known = rng.permutation(len(PLACES))[:8]
    noisy = LOG_NS + 0.01 * rng.standard_normal(len(PLACES))
    fit = fit_roofline([PLACES[index] for index in known], noisy[known], typical_prior())
    mean, error = fit.predict(PLACES)
    assert np.mean(np.abs(np.expm1(mean - LOG_NS)) <= 0.05) >= 0.9
    assert np.mean(np.abs(mean - LOG_NS) <= 2 * error) >= 0.9


def test_what_is_far_from_everything_measured_is_less_sure() -> None:
    fit = fit_roofline(PLACES[:8], LOG_NS[:8], typical_prior())
    _, near = fit.predict([PLACES[3]])
    _, far = fit.predict([place(2.0, 320)])
    _, other = fit.predict([place(0.5, 128, "mobilenet_v1_full_conv")])
    assert far[0] > 2 * near[0]
    assert other[0] > 2 * near[0]


def test_without_a_measurement_the_prior_speaks() -> None:
    prior = Prior(np.log(RATES_OF_A_PHONE), 0.01 * np.eye(RATES))
    mean, error = fit_roofline([], np.empty(0), prior).predict(PLACES)
    assert mean == pytest.approx(LOG_NS, abs=1e-9)
    assert (error > 0.03).all()


def test_model_of_known_rates_is_scikit_learns_gaussian_process_on_what_is_left() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    rng = np.random.default_rng(1)
    left = 0.05 * rng.standard_normal(len(PLACES))
    prior = Prior(np.log(RATES_OF_A_PHONE), 1e-12 * np.eye(RATES))
    fit = fit_roofline(PLACES[:12], (LOG_NS + left)[:12], prior)
    where = np.array([[np.log(p.alpha) / 0.5, np.log(p.resolution) / 0.4] for p in PLACES])
    means, variances, likely = [], [], []
    for residual, noise in SPREADS:
        peer = GaussianProcessRegressor(ConstantKernel(residual**2) * RBF(1.0), alpha=noise**2, optimizer=None)
        peer.fit(where[:12], left[:12])
        theirs, spread = peer.predict(where[12:], return_std=True)
        means.append(theirs)
        variances.append(spread**2 + noise**2)
        likely.append(peer.log_marginal_likelihood_value_)
    weights = np.exp(np.array(likely) - max(likely))
    weights /= weights.sum()
    assert fit.weights == pytest.approx(weights, abs=1e-6)
    mean, error = fit.predict(PLACES[12:])
    expected = weights @ np.array(means)
    assert mean - LOG_NS[12:] == pytest.approx(expected, abs=1e-6)
    assert error**2 == pytest.approx(weights @ np.array(variances) + weights @ (means - expected) ** 2, abs=1e-7)


def test_design_takes_what_lessens_the_variance_of_all_predictions_most() -> None:
    """Against the definition: the sum of variances that a fit without measurements would be left with."""
    specs = [
        ModelSpec(alpha=alpha, resolution=resolution) for alpha in (0.25, 0.5, 1.0) for resolution in (96, 160, 224)
    ]
    places = [Place(read_layers(spec), spec.arch, spec.alpha, spec.resolution) for spec in specs]
    prior = typical_prior()
    _, slope = linearize(places, prior.mean)
    covariance = slope @ prior.covariance @ slope.T + 0.08**2 * likeness(places, places)

    def left_over(chosen: list[int]) -> float:
        known = covariance[np.ix_(chosen, chosen)] + 0.02**2 * np.eye(len(chosen))
        across = covariance[:, chosen]
        return float(np.trace(covariance - across @ np.linalg.solve(known, across.T)))

    first, second, third = (specs.index(spec) for spec in choose_to_measure(specs, 3))
    assert first == min(range(9), key=lambda place: left_over([place]))
    assert second == min(set(range(9)) - {first}, key=lambda place: left_over([first, place]))
    assert third == min(set(range(9)) - {first, second}, key=lambda place: left_over([first, second, place]))
    with pytest.raises(ConfigError, match="so many networks cannot be chosen"):
        choose_to_measure(specs, 10)
