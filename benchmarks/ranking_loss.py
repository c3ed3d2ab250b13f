"""Ratios of the forms of the hinge ranking loss at several row lengths, in one run on one machine.

The reference is the list of index pairs (``triu_indices``), which the harness does not use.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from harness import hinge_ranking_loss
from harness.ranking import Form, choose_form

FORMS: tuple[Form, ...] = ("quadratic", "compiled", "sorted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[50, 197, 577, 1024, 2048])
    parser.add_argument("--pairs", type=int, default=10_000_000, help="pairs a measurement (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="best of (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print("index pairs / form, value alone (value and gradient)")
    print(f"{'rows x width':>16} {'pairs ms':>9}" + "".join(f"{form:>20}" for form in FORMS) + "   auto")
    for width in given.widths:
        rows = max(1, 2 * given.pairs // width ** 2)
        reference = torch.randn(rows, width)
        attention = reference + 0.1 * torch.randn(rows, width)
        plain = [seconds(by_pairs, reference, attention, gradient, given.repeats) for gradient in (False, True)]
        cells = []
        for form in FORMS:
            def loss(a: Tensor, b: Tensor, form: Form = form) -> Tensor:
                return hinge_ranking_loss(a, b, 0.2, form=form)
            own = [seconds(loss, reference, attention, gradient, given.repeats) for gradient in (False, True)]
            cells.append("{:9.1f}x ({:5.1f}x)".format(*(p / o for p, o in zip(plain, own, strict=True))))
        print(f"{f'{rows} x {width}':>16} {1000 * plain[0]:9.1f}" + "".join(f"{cell:>20}" for cell in cells)
              + f"   {choose_form(rows, width)}", flush=True)


def by_pairs(reference: Tensor, attention: Tensor) -> Tensor:
    """All pairs at once, through their indices."""
    p, q = torch.triu_indices(reference.shape[-1], reference.shape[-1], offset=1)
    order = torch.sign(reference[:, p] - reference[:, q])
    return torch.relu(0.2 - (attention[:, p] - attention[:, q]) * order).mean()


def seconds(loss: Callable[[Tensor, Tensor], Tensor], reference: Tensor, attention: Tensor, gradient: bool,
            repeats: int) -> float:
    """Best time of a call, after one to warm up."""
    best = float("inf")
    for repeat in range(repeats + 1):
        leaf = attention.clone().requires_grad_(gradient)
        start = time.perf_counter()
        value = loss(reference, leaf)
        if gradient:
            value.backward()
        if repeat:
            best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    main()
