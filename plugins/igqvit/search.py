"""Algorithm 1: bounds of the groups by running means, and numbers of groups every T iterations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from harness import Context, QuantizationError, Search

from .allocation import solve_greedily, solve_ilp
from .bops import group_bops
from .instances import find_instances
from .kmeans import kmeans, reach, running_mean
from .options import GroupSearchOptions
from .perturbation import Bounds, perturbations
from .quantizer import InstanceGroups
from .statistics import collect

Groups = dict[str, tuple[Tensor, Tensor]]
"""Site -> centres (g, 2), (u, l) of each group, and the points that each has seen (g,)."""

INIT_POINTS = 2 ** 14  # of a site, for k-means: more points no longer move the centres


class GroupSearch(Search[GroupSearchOptions]):
    """Sets bounds and numbers of every :class:`InstanceGroups` quantizer of a model.

    The numbers of groups that the quantizers have when the search starts are the target of uniform
    allocation, and make the BOP budget of the others. Raises :class:`harness.QuantizationError` where no
    site has instance-aware groups, and where ``groups_set`` cannot meet the budget.
    """

    def run(self, context: Context) -> None:
        quantizers = {path: quantizer for path, quantizer in context.model.quantizers.items()
                      if isinstance(quantizer, InstanceGroups)}
        if not quantizers:
            raise QuantizationError("search instance_groups found no site with quantizer instance_groups",
                                    "Place that quantizer, or choose another search")
        find_instances(context)
        options = self.options
        draws = torch.randint(len(context.calibration), (options.iterations,), generator=context.generator).tolist()
        images = sorted(set(draws))
        with context.model.full_precision():
            points, totals = collect(context, quantizers, images, options.points)
        targets = {path: quantizer.groups for path, quantizer in quantizers.items()}
        wanted = set(targets.values()) | (set() if options.alloc == "uniform" else set(options.groups_set))
        starts = {groups: _initial(context, quantizers, points, groups) for groups in sorted(wanted)}
        groups = {path: starts[target][path] for path, target in targets.items()}
        members = (options.group_range or ("members" if context.kind == "detection" else "centre")) == "members"
        _place(quantizers, groups, points if members else None)

        steps = range(0, options.iterations, options.allocate_every)
        with context.progress("groups", len(steps)) as advance:
            for start in steps:
                drawn = [images.index(image) for image in draws[start:start + options.allocate_every]]
                if start > 0 and options.alloc != "uniform":
                    chosen = self._allocate(context, quantizers, targets, totals, starts, groups,
                                            points if members else None)
                    for path, number in chosen.items():
                        if number != quantizers[path].groups:
                            groups[path] = starts[number][path]
                    _place(quantizers, groups, points if members else None)
                with context.model.baked():
                    points, _ = collect(context, quantizers, images, options.points)
                _update(quantizers, groups, points, drawn)
                _place(quantizers, groups, points if members else None)
                advance()
        context.notes["groups"] = {path: quantizer.groups for path, quantizer in quantizers.items()}

    def _allocate(self, context: Context, quantizers: Mapping[str, InstanceGroups], targets: Mapping[str, int],
                  totals: Mapping[str, float], starts: Mapping[int, Groups], groups: Groups,
                  points: Mapping[str, Tensor] | None) -> dict[str, int]:
        """Solve Eq. (10); layers that keep their number are judged by their present bounds."""
        choices = self.options.groups_set
        bops = group_bops(context, quantizers, totals, sorted({*choices, *targets.values()}))
        budget = sum(bops[path][target] for path, target in targets.items())
        offered = {path: {number: bops[path][number] for number in choices} for path in quantizers}
        candidates = {path: {number: _bounds(groups[path] if number == quantizer.groups else starts[number][path],
                                             quantizer, None if points is None else points[path])
                             for number in choices} for path, quantizer in quantizers.items()}
        psi = perturbations(context, quantizers, candidates, self.options)
        solve = solve_ilp if self.options.alloc == "ilp" else solve_greedily
        return solve(psi, offered, budget)


def _initial(context: Context, quantizers: Mapping[str, InstanceGroups], points: Mapping[str, Tensor],
             number: int) -> Groups:
    """k-means on the points of all images, alike sites together."""
    found: Groups = {}
    for paths in _alike(quantizers, points):
        stacked = torch.stack([points[path].flatten(0, 1) for path in paths])
        if stacked.shape[1] > INIT_POINTS:
            kept = torch.randperm(stacked.shape[1], generator=context.generator)[:INIT_POINTS]
            stacked = stacked[:, kept.to(stacked.device)]
        centres, counts = kmeans(stacked, number, quantizers[paths[0]].distance, context.generator)
        found |= {path: (centres[i], counts[i]) for i, path in enumerate(paths)}
    return found


def _update(quantizers: Mapping[str, InstanceGroups], groups: Groups, points: Mapping[str, Tensor],
            drawn: list[int]) -> None:
    for paths in _alike(quantizers, points):
        stacked = torch.stack([points[path] for path in paths])
        centres, counts = (torch.stack([groups[path][part] for path in paths]) for part in (0, 1))
        for image in drawn:
            centres, counts = running_mean(stacked[:, image], centres, counts, quantizers[paths[0]].distance)
        groups |= {path: (centres[i], counts[i]) for i, path in enumerate(paths)}


def _alike(quantizers: Mapping[str, InstanceGroups], points: Mapping[str, Tensor]) -> list[list[str]]:
    """Sites that can be computed together: as many points and groups, and the same distance."""
    alike: dict[object, list[str]] = defaultdict(list)
    for path, quantizer in quantizers.items():
        alike[points[path].shape, quantizer.groups, quantizer.distance].append(path)
    return list(alike.values())


def _bounds(group: tuple[Tensor, Tensor], quantizer: InstanceGroups, points: Tensor | None) -> Bounds:
    """A group's centres, and the ends that its ``points`` (images, n, 2) reach, where they are given."""
    upper, lower = group[0].unbind(-1)
    return upper, lower, None if points is None else reach(points.flatten(0, 1), (upper, lower), quantizer.distance)


def _place(quantizers: Mapping[str, InstanceGroups], groups: Groups, points: Mapping[str, Tensor] | None) -> None:
    for path, quantizer in quantizers.items():
        quantizer.set_bounds(*_bounds(groups[path], quantizer, None if points is None else points[path]))
