from __future__ import annotations

import time

import torch

from harness import Context, Method


class _Nothing(Method):
    def place(self, context: Context) -> None:
        pass

    def calibrate(self, context: Context) -> None:
        pass


class toy_crash(_Nothing):  # noqa: N801 - named as the method is
    def calibrate(self, context: Context) -> None:
        raise ZeroDivisionError("a fault of the plugin")


class toy_sleep(_Nothing):  # noqa: N801
    def calibrate(self, context: Context) -> None:
        time.sleep(self.options.seconds)


class toy_nan(_Nothing):  # noqa: N801
    def calibrate(self, context: Context) -> None:
        context.model.operation("0").weight.data.fill_(float("nan"))
        context.calibration.observe(context.model, sites={"2.input": lambda tensor: None})


class toy_noise(_Nothing):  # noqa: N801
    """Random, but only through the run's generator and the seeded global one."""

    def calibrate(self, context: Context) -> None:
        weight = context.model.operation("0").weight
        noise = torch.randn(weight.shape, generator=context.generator) + torch.randn(weight.shape)
        weight.data.add_(0.1 * noise)
        context.notes["noise"] = float(noise.sum())
