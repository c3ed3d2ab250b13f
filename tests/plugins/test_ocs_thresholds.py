"""Thresholds against slow copies of the rules, one value and one candidate at a time, and against known figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from ocs_cases import symmetric
from torch import Tensor

from harness import LearnedUniform, Partition, QuantizationError, Uniform
from harness_plugins.ocs.divergence import divergence, kl_threshold
from harness_plugins.ocs.options import Clip
from harness_plugins.ocs.outliers import OutlierChannels
from harness_plugins.ocs.profile import Profile
from harness_plugins.ocs.thresholds import aciq_candidates, new_profile, set_threshold, squared_errors, threshold


def heavy_tailed(size: int = 4000, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) ** 3 + .2


def profile_of(values: Tensor, clip: Clip | None, batches: int = 1) -> Profile:
    profile = new_profile(clip)
    for observe in (profile.observe_range, profile.observe_values):
        for batch in values.chunk(batches):
            observe(batch)
    return profile


def slow_mse(values: Tensor, bits: int, reach: float, bins: int) -> float:
    """Error of one threshold on a numpy histogram, bin by bin."""
    counts, edges = np.histogram(values.numpy().astype(float), bins=bins)
    high = 2 ** (bits - 1) - 1
    total = 0.0
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        x = (left + right) / 2
        q = min(max(round(x / (reach / high)), -high - 1), high) * (reach / high)
        total += count / counts.sum() * (x - q) ** 2
    return total


def slow_kl(values: NDArray[np.float64], levels: int, bins: int = 1001) -> float:
    """The search of MXNet, loop by loop, with the divergence of scipy."""
    from scipy.stats import entropy

    reach = np.abs(values).max()
    counts, edges = np.histogram(values, bins=bins, range=(-reach, reach))
    best, chosen = math.inf, reach
    for half in range(levels // 2, bins // 2 + 1):
        start, stop = bins // 2 - half, bins // 2 + half + 1
        inside = counts[start:stop].astype(float)
        p = inside.copy()
        p[0] += counts[:start].sum()
        p[-1] += counts[stop:].sum()
        run = len(inside) // levels
        q = np.zeros(len(inside))
        for level in range(levels):
            first, last = level * run, len(inside) if level == levels - 1 else (level + 1) * run
            filled = [j for j in range(first, last) if p[j] != 0]
            for j in filled:
                q[j] = inside[first:last].sum() / len(filled)
        if not q.any():
            continue
        p, q = (np.where(d == 0, 1e-4, d - 1e-4 * (d == 0).sum() / (d != 0).sum()) for d in (p, q))
        if (found := entropy(p, q)) < best:
            best, chosen = found, edges[stop]
    return float(chosen)


@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_without_clipping_it_is_the_largest_value(ratio: float) -> None:
    values = heavy_tailed()
    assert threshold(profile_of(values, None), symmetric(4, 1), None, ratio) == pytest.approx(
        ratio * float(values.abs().max()))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_least_squared_error(bits: int) -> None:
    values, quantizer = heavy_tailed(), symmetric(bits, 1)
    largest = float(values.abs().max())
    candidates = [.01 * i * largest for i in range(1, 100)]
    errors = [slow_mse(values, bits, reach, 201) for reach in candidates]
    profile = profile_of(values, "mse")
    torch.testing.assert_close(squared_errors(profile, quantizer, torch.tensor(candidates, dtype=torch.float64)),
                               torch.tensor(errors, dtype=torch.float64), rtol=1e-6, atol=1e-12)
    found = threshold(profile, quantizer, "mse")
    assert found == pytest.approx(candidates[int(np.argmin(errors))])
    assert found < .99 * largest


def test_more_bits_clip_less() -> None:
    found = [threshold(profile_of(heavy_tailed(), "mse"), symmetric(bits, 1), "mse") for bits in (2, 4, 6, 8)]
    assert found == sorted(found)
    assert found[0] < .5 * found[-1]


def test_aciq_finds_the_scale_of_what_it_presumes() -> None:
    """On Gaussian values alpha sigma with the true sigma, on Laplacian ones alpha b."""
    generator = torch.Generator().manual_seed(0)
    gauss = torch.randn(200_000, generator=generator) * 3
    uniform = torch.rand(200_000, generator=generator, dtype=torch.float64) - .5
    laplace = -2 * uniform.sign() * (1 - 2 * uniform.abs()).log()  # b = 2
    assert float(aciq_candidates(profile_of(gauss, "aciq"), 4)[0]) == pytest.approx(2.19227856 * 3, rel=.1)
    assert float(aciq_candidates(profile_of(laplace, "aciq"), 4)[1]) == pytest.approx(4.00378631 * 2, rel=.01)
    assert threshold(profile_of(laplace, "aciq"), symmetric(4, 1), "aciq") == pytest.approx(8.0, rel=.02)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_aciq_by_its_formulas(bits: int) -> None:
    values = heavy_tailed().double()
    alpha = {2: (1.47818312, 2.33152939), 3: (1.80489289, 3.04528770), 8: (3.61691335, 8.65265030)}[bits]
    sigma = float(values.max() - values.min()) * .35 / 2 * (1 + (math.pi * math.log(4)) ** .5) / (
        2 * math.log(len(values))) ** .5
    candidates = [alpha[0] * sigma, alpha[1] * float((values - values.mean()).abs().mean())]
    profile = profile_of(values, "aciq")
    assert aciq_candidates(profile, bits).tolist() == pytest.approx(candidates)
    errors = [slow_mse(values, bits, reach, 101) for reach in candidates]
    expected = min(candidates[int(np.argmin(errors))], float(values.abs().max()))
    assert threshold(profile, symmetric(bits, 1), "aciq") == pytest.approx(expected)


def test_aciq_knows_eight_bits_at_most() -> None:
    with pytest.raises(QuantizationError, match="no constants for 9 bits"):
        threshold(profile_of(heavy_tailed(), "aciq"), Uniform(Partition.tensor(), 9, "symmetric"), "aciq")


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_least_divergence(bits: int, seed: int) -> None:
    values = heavy_tailed(3000, seed).double()
    expected = slow_kl(values.numpy(), 2**bits - 1)
    assert threshold(profile_of(values, "kl"), symmetric(bits, 1), "kl") == pytest.approx(expected, rel=1e-9)


def test_divergence_by_hand() -> None:
    """Five bins, three levels, the range of the three in the middle: what lies beyond goes to P alone."""
    counts = np.array([2., 4, 8, 4, 2])
    p, q = np.array([6, 8, 6]) / 20, np.array([4, 8, 4]) / 16
    assert divergence(counts, 1, 3) == pytest.approx(float((p * np.log(p / q)).sum()))
    # All five: runs of 1, 1 and 3 bins.
    p, q = counts / 20, np.array([2, 4, 14 / 3, 14 / 3, 14 / 3]) / 20
    assert divergence(counts, 2, 3) == pytest.approx(float((p * np.log(p / q)).sum()))
    assert kl_threshold(counts, 10.0, 3) == pytest.approx(10 * 3 / 5)


def test_empty_bins_get_a_little_from_the_others() -> None:
    p, q = (np.array([1e-4, full - 1.5e-4, 1e-4, rest - 1.5e-4, 1e-4]) / 4 for full, rest in ((3, 1), (2, 2)))
    assert divergence(np.array([0., 3, 0, 1, 0]), 2, 1) == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-9)


def test_few_bins_leave_the_largest_value() -> None:
    assert kl_threshold(np.ones(5), 3.0, 7) == 3.0


@pytest.mark.parametrize("clip", ["mse", "aciq", "kl"])
def test_batches_are_one_set(clip: Clip) -> None:
    values, quantizer = heavy_tailed(), symmetric(4, 1)
    whole, parts = profile_of(values, clip), profile_of(values, clip, batches=7)
    assert torch.equal(whole.counts, parts.counts)
    assert int(whole.counts.sum()) == len(values)
    assert threshold(parts, quantizer, clip) == pytest.approx(threshold(whole, quantizer, clip))


@pytest.mark.parametrize("clip", [None, "mse", "aciq", "kl"])
def test_no_threshold_is_above_the_largest_value(clip: Clip | None) -> None:
    for values in (heavy_tailed(300), torch.rand(50) * 1e-3, torch.cat((torch.zeros(500), torch.tensor([-3.])))):
        found = threshold(profile_of(values, clip), symmetric(8, 1), clip)
        assert 0 < found <= float(values.abs().max()) * (1 + 1e-6)


@pytest.mark.parametrize("clip", [None, "mse", "aciq", "kl"])
def test_constant_values_keep_their_value(clip: Clip | None) -> None:
    for constant in (2.5, 0.0):
        assert threshold(profile_of(torch.full((9,), constant), clip), symmetric(4, 1), clip) == constant


def test_nothing_seen_is_an_error() -> None:
    with pytest.raises(QuantizationError, match="no calibration data"):
        threshold(new_profile(None), symmetric(4, 1), None)


def test_a_threshold_becomes_the_step() -> None:
    learned, plain = LearnedUniform(Partition.tensor(), 4), Uniform(Partition.tensor(), 4, "symmetric")
    unsigned = Uniform(Partition.tensor(), 4, "unsigned")
    for quantizer, levels in ((learned, 7), (plain, 7), (unsigned, 15)):
        set_threshold(quantizer, 2.1)
        assert float(quantizer.scale.detach()) == pytest.approx(2.1 / levels)


def activations() -> Tensor:
    """Channel 1 is large often, channel 3 rarely but very, channel 0 never."""
    values = torch.full((100, 4), .1)
    values[::2, 1], values[7, 3], values[8, 2] = 5., -1000., 6.
    return values


@pytest.mark.parametrize(("rank", "order"), [("count", [1, 2, 3, 0]), ("excess", [3, 1, 2, 0])])
@pytest.mark.parametrize("batches", [1, 6])
def test_channels_of_outliers(rank: str, order: list[int], batches: int) -> None:
    values = activations()
    outliers = OutlierChannels(4, -1, 85.0, rank)  # type: ignore[arg-type]
    for observe in (outliers.observe_level, outliers.observe_outliers):
        for batch in values.chunk(batches):
            observe(batch)
    assert float(outliers.level) == pytest.approx(.1, abs=.3)
    assert outliers.top(4).tolist() == order
    assert outliers.top(2).tolist() == order[:2]


def test_the_level_is_the_percentile() -> None:
    values = torch.rand(20_000, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    outliers = OutlierChannels(4, -1, 95.0, "count")
    for batch in values.chunk(5):
        outliers.observe_level(batch)
    assert float(outliers.level) == pytest.approx(float(values.abs().flatten().quantile(.95)), abs=2e-3)
    for batch in values.chunk(5):
        outliers.observe_outliers(batch)
    assert float(outliers.scores.sum()) == pytest.approx(.05 * values.numel(), rel=.02)
