"""The threshold T of a symmetric linear quantizer: largest value, least squared error, ACIQ, or KL divergence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness import LearnedUniform, QuantizationError, integer_limits

from .divergence import kl_threshold
from .options import Clip
from .profile import Profile
from .quantizer import OneStep

#: Bins of the histogram that each rule looks at (official code).
BINS: dict[Clip, int] = {"mse": 201, "aciq": 101, "kl": 1001}

#: Best threshold over standard deviation (Gauss) and over mean deviation (Laplace), by bits; ACIQ (Banner et al. 2018).
_GAUSS = (1.47818312, 1.80489289, 2.19227856, 2.57733584, 2.94451183, 3.29076248, 3.61691335)
_LAPLACE = (2.33152939, 3.04528770, 4.00378631, 5.08252088, 6.23211675, 7.42700429, 8.65265030)


def new_profile(clip: Clip | None) -> Profile:
    """An empty profile with what the rule ``clip`` needs."""
    return Profile(BINS[clip] if clip else 1, symmetric=clip == "kl")


def threshold(profile: Profile, quantizer: OneStep, clip: Clip | None, ratio: float = 1.0) -> float:
    """T for ``quantizer`` on the values of ``profile``, at most their largest; ``ratio`` times that where not clipped.

    Raises :class:`harness.QuantizationError` for bits that ACIQ has no constants for.
    """
    reach = profile.reach
    if clip is None or profile.lower == profile.upper:
        return ratio * reach
    if clip == "mse":
        candidates = reach * torch.arange(1, 100, dtype=torch.float64) / 100
        return _least_error(profile, quantizer, candidates)
    bits = round(float(quantizer.bits))
    if clip == "aciq":
        return _least_error(profile, quantizer, aciq_candidates(profile, bits).clamp(max=reach))
    return kl_threshold(profile.counts.numpy(), reach, 2**bits - 1)


def aciq_candidates(profile: Profile, bits: int) -> Tensor:
    """``alpha sigma`` for a Gaussian and ``alpha mean|x - mean|`` for a Laplacian, float64 ``(2,)``.

    sigma is estimated from the range of n values: ``(max - min) 0.35/2 (1 + sqrt(pi ln 4)) / sqrt(2 ln n)``.
    """
    if not 2 <= bits <= 8:
        raise QuantizationError(f"ACIQ has no constants for {bits} bits", "Use 2 to 8 bits, or another clip")
    spread = (profile.upper - profile.lower) * 0.35 / 2 * (1 + math.sqrt(math.pi * math.log(4)))
    sigma = spread / math.sqrt(2 * math.log(profile.count))
    return torch.tensor([_GAUSS[bits - 2] * sigma, _LAPLACE[bits - 2] * profile.mean_deviation], dtype=torch.float64)


def squared_errors(profile: Profile, quantizer: OneStep, candidates: Tensor) -> Tensor:
    """``sum over bins of p(x) (x - Q(x))^2`` for each threshold in ``candidates``; both ``(k,)``, float64."""
    low, high = (float(limit) for limit in integer_limits(quantizer.bits, quantizer.scheme))
    values, step = profile.centres, (candidates / high)[:, None]
    quantized = (values / step).round().clamp(low, high) * step
    return (profile.counts * (values - quantized).square()).sum(1) / profile.counts.sum()


def set_threshold(quantizer: OneStep, value: float) -> None:
    """Give ``quantizer`` the step ``T / (2^(b-1) - 1)`` (unsigned: ``T / (2^b - 1)``)."""
    reach = torch.full((1,), value, device=quantizer.bits.device)
    if isinstance(quantizer, LearnedUniform):
        quantizer.set_scale(reach / integer_limits(quantizer.bits, quantizer.scheme)[1])
    else:
        quantizer.set_range(-reach, reach)


def _least_error(profile: Profile, quantizer: OneStep, candidates: Tensor) -> float:
    return float(candidates[squared_errors(profile, quantizer, candidates).argmin()])
