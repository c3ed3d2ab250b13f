"""The search ``ocs``: splits channels, finds thresholds, and puts expanding quantizers on the split operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from harness import Context, InstrumentedModel, LearnedUniform, QuantizationError, Search, Site, Uniform, finite_weight
from harness import Identity as FullPrecision

from .layers import input_axis, input_channels, is_of_attention
from .options import Clip, SplittingOptions
from .outliers import OutlierChannels
from .profile import Profile
from .quantizer import Expanded, OneStep, SplitChannels, SplitLargest
from .splitting import split_channels, split_weight
from .thresholds import new_profile, set_threshold, threshold


class OutlierSplitting(Search[SplittingOptions]):
    """Weights one layer after the other; activations in passes over the calibration set, all sites together.

    Activations are seen in full precision. Where one is split, its threshold is that of the expanded activation.
    Notes which channels were split in ``context.notes["split_channels"]``.
    """

    def run(self, context: Context) -> None:
        """Set all quantizers; raises :class:`harness.QuantizationError` for one that has no single step to set."""
        model = context.model
        quantizers = {path: _one_step(path, quantizer) for path, quantizer in model.quantizers.items()
                      if not isinstance(quantizer, FullPrecision)}
        for path, quantizer in quantizers.items():
            if model.sites[path].is_weight:
                self._weight(model, path, quantizer)
        activations = {path: quantizer for path, quantizer in quantizers.items() if not model.sites[path].is_weight}
        with model.full_precision():
            expanded = self._split_activations(context, activations)
            profiles = self._profiles(context, activations, expanded)
        for path, quantizer in activations.items():
            self._set(model.sites[path], quantizer, profiles[path])
        for path, each in expanded.items():
            model.place(path, each)
        if split := {path: each.source.tolist() for path, each in model.quantizers.items()
                     if isinstance(each, SplitChannels)}:
            context.notes["split_channels"] = split

    def splits(self, channels: int | None) -> int:
        """``ceil(r I)``; 0 for a layer without channels to split."""
        # A product such as 0.07 * 100 = 7.000000000000001 is not rounded up.
        return math.ceil(self.options.expand_ratio * (channels or 0) - 1e-9)

    @torch.no_grad()
    def _weight(self, model: InstrumentedModel, path: str, quantizer: OneStep) -> None:
        """The threshold after a naive split; then the split that was asked for, with that threshold's step."""
        options, site, weight = self.options, model.sites[path], finite_weight(model, path)
        axis, splits = input_axis(site), self.splits(input_channels(model, site))
        split = options.target == "weight" and splits > 0
        naive = split_weight(weight, axis, splits, "naive", partial=options.partial_threshold) if split else None
        values, profile = weight if naive is None else naive.expand(weight), new_profile(self._clip(site)[0])
        profile.observe_range(values)
        profile.observe_values(values)
        self._set(site, quantizer, profile)
        if naive is not None:
            table = naive if options.split == "naive" else split_weight(
                weight, axis, splits, "qa", float(quantizer.scale.detach()), options.partial_threshold)
            model.place(path, SplitChannels(quantizer, table))

    def _split_activations(self, context: Context, quantizers: Mapping[str, OneStep]) -> dict[str, Expanded]:
        """The expanding quantizers, not placed yet, of the activations that are split."""
        options, sites = self.options, context.model.sites
        channels = {path: count for path in quantizers if sites[path].operand == "input"
                    and (count := input_channels(context.model, sites[path]))}
        if options.target != "activation" or not options.expand_ratio:
            return {}
        if options.channels == "oracle":
            return {path: SplitLargest(quantizers[path], count, input_axis(sites[path]), self.splits(count),
                                       options.activation_split) for path, count in channels.items()}
        ranked = {path: OutlierChannels(count, input_axis(sites[path]), options.percentile, options.rank)
                  for path, count in channels.items()}
        _observe(context, {path: each.observe_level for path, each in ranked.items()})
        _observe(context, {path: each.observe_outliers for path, each in ranked.items()})
        return {path: SplitChannels(quantizers[path], split_channels(
            channels[path], each.top(self.splits(channels[path])), each.axis, options.activation_split))
            for path, each in ranked.items()}

    def _clip(self, site: Site) -> tuple[Clip | None, float]:
        """The rule for the threshold of a site, and the clip ratio."""
        options = self.options
        if is_of_attention(site):
            return options.attention_clip, 1.0
        if site.is_weight:
            return options.weight_clip, options.weight_clip_ratio
        return options.activation_clip, options.activation_clip_ratio

    def _profiles(self, context: Context, quantizers: Mapping[str, OneStep], expanded: Mapping[str, Expanded]
                  ) -> dict[str, Profile]:
        clips = {path: self._clip(context.model.sites[path])[0] for path in quantizers}
        profiles = {path: new_profile(clip) for path, clip in clips.items()}

        def seen(path: str, observe: Callable[[Tensor], None]) -> Callable[[Tensor], None]:
            return (lambda tensor: observe(expanded[path].expanded(tensor))) if path in expanded else observe

        _observe(context, {path: seen(path, profile.observe_range) for path, profile in profiles.items()})
        _observe(context, {path: seen(path, profile.observe_values) for path, profile in profiles.items()
                           if clips[path] is not None})
        return profiles

    def _set(self, site: Site, quantizer: OneStep, profile: Profile) -> None:
        try:
            set_threshold(quantizer, threshold(profile, quantizer, *self._clip(site)))
        except QuantizationError as error:
            raise QuantizationError(f"{site.path!r}: {error.message}", error.remedy) from None


def _observe(context: Context, sites: Mapping[str, Callable[[Tensor], None]]) -> None:
    if sites:
        context.calibration.observe(context.model, sites=sites)


def _one_step(path: str, quantizer: object) -> OneStep:
    """``quantizer``, if it has one step for the tensor and no zero point."""
    if (isinstance(quantizer, Uniform | LearnedUniform) and quantizer.partition.slots == 1
            and quantizer.scheme != "asymmetric" and getattr(quantizer, "offset", None) is None):
        return quantizer
    raise QuantizationError(
        f"ocs cannot set the quantizer at {path!r}: it needs one step for the whole tensor and no zero point",
        "Place the quantizer uniform or learned there, with granularity tensor and scheme symmetric or unsigned")
