"""What papers claim, as the plugins bring it: a file of claims, each with a query over records.

``docs/claims.md`` says how such a file is written.
"""

from __future__ import annotations

import tomllib
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, FiniteFloat, ValidationError, field_validator, model_validator

from ...errors import DataError
from ..options_text import as_settings
from ..plain import JsonObject
from ..record import FULL_PRECISION, BitsText, Part

#: The first part of a path to a number in a record; ``""`` is the main metric.
QUANTITIES = ("metrics", "costs", "timings", "peak_memory", "notes")

Text = Annotated[str, Field(min_length=1)]


def _quantity(path: str) -> str:
    if path and path.split(".")[0] not in QUANTITIES:
        raise ValueError(f"{path!r} does not begin with one of {', '.join(QUANTITIES)}")
    return path


class Operand(Part):
    """The runs on one side of a comparison: a method, with one of its ablations or with options.

    In a file it may be a text as ``--methods`` takes it, ``METHOD`` or ``METHOD:ABLATION``. ``bits`` and ``budget``:
    in place of those of the claim.
    """

    method: Text
    ablation: str = ""
    options: JsonObject = Field(default_factory=dict)
    bits: BitsText | None = None
    budget: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        if isinstance(data, dict) and "options" not in data and ":" in str(data.get("method", "")):
            return {**data, **cls._split(data["method"])}
        return cls._split(data) if isinstance(data, str) else data

    @staticmethod
    def _split(text: str) -> dict[str, str]:
        method, _, ablation = text.partition(":")
        return {"method": method, "ablation": ablation}

    @property
    def is_reference(self) -> bool:
        """Whether it is the full-precision model."""
        return self.method == FULL_PRECISION

    @property
    def label(self) -> str:
        """What it is called, as the rows of tables are."""
        if self.is_reference:
            return "full precision"
        text = f"{self.method}:{self.ablation}" if self.ablation else self.method
        text += f" ({' '.join(as_settings(self.options))})" if self.options else ""
        return ", ".join(part for part in (text, self.bits, self.budget) if part)


class Figures(Part):
    """What the paper prints for the operands of a claim, in their order, at some bits and for some model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: BitsText
    model: str = ""
    values: tuple[FiniteFloat, ...]


class Claim(Part):
    """One thing that a paper says. ``says``: in words, ``where``: in which table, figure or section.

    The query: the records of ``task`` (and of ``scale`` and ``models`` only, where given) at each of ``bits``, compared
    in ``quantity``, a path in the record such as ``costs.bops.qvit`` (empty: the main metric). ``first`` is compared
    with each of ``second``; in ``order``, each operand with the next one. ``expect`` says how: ``higher`` or ``lower``
    than the other by more than ``by``, or ``equal`` within ``within``; ``ratio``: not the difference, the quotient.

    ``untestable``: in place of a query, why no record can tell. ``published``: the paper's own figures. ``note``: what
    a reader must know. ``source``: the method or task that brings it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    says: Text
    where: Text
    note: str = ""
    untestable: str = ""
    task: tuple[Text, ...] = ()
    scale: str = ""
    models: tuple[Text, ...] = ()
    bits: tuple[BitsText, ...] = ()
    quantity: Annotated[str, AfterValidator(_quantity)] = ""
    first: Operand | None = None
    second: tuple[Operand, ...] = ()
    order: tuple[Operand, ...] = ()
    expect: Literal["higher", "lower", "equal"] = "higher"
    by: FiniteFloat = 0.0
    within: Annotated[FiniteFloat, Field(gt=0)] | None = None
    ratio: bool = False
    published: tuple[Figures, ...] = ()
    source: str = ""

    @field_validator("task", "models", "bits", "second", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value

    @model_validator(mode="after")
    def _fits(self) -> Claim:
        if self.untestable:
            if self.task or self.bits or self.operands:
                raise ValueError("untestable, and yet a query (task, bits, first, second, order)")
            return self
        if not self.task or not self.bits:
            raise ValueError("needs a task and bits, or the reason why it is untestable")
        if bool(self.order) == bool(self.first or self.second) or bool(self.first) != bool(self.second):
            raise ValueError("needs first and second, or order instead")
        if len(self.operands) < 2:
            raise ValueError("an order needs two operands")
        if (self.expect == "equal") != (self.within is not None) or (self.by and self.expect == "equal"):
            raise ValueError("within belongs to expect = \"equal\", by to the others")
        if self.ratio and (self.expect == "equal" or self.by <= 0 or not self.quantity):
            raise ValueError("a ratio needs a quantity, \"higher\" or \"lower\", and the quotient as by")
        for figures in self.published:
            if len(figures.values) != len(self.operands):
                raise ValueError(f"published: {len(figures.values)} values at {figures.bits} for "
                                 f"{len(self.operands)} operands")
        return self

    @property
    def operands(self) -> tuple[Operand, ...]:
        """All of them; published values are in this order."""
        return self.order or (*((self.first,) if self.first else ()), *self.second)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Which operands are compared, by their number."""
        several = range(len(self.operands))
        return tuple(pairwise(several)) if self.order else tuple((0, number) for number in several[1:])


class _File(Part):
    claim: tuple[dict[str, Any], ...] = ()


def read_claims(text: str, source: str, file: str = "claims.toml") -> list[Claim]:
    """The claims of a file's ``text``, that the method or task ``source`` brings.

    Raises :class:`harness.DataError`, which names ``file``, the claim and the field.
    """
    where = f"{file} of {source}"
    try:
        items = _File.model_validate(tomllib.loads(text)).claim
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{where}: {error}", "Mend the file") from None
    except ValidationError as error:
        raise DataError(f"{where}: {_first(error)}", "Write each claim as [[claim]]") from None
    claims: dict[str, Claim] = {}
    for number, item in enumerate(items, 1):
        named = f"{where}, claim {item.get('id', number)}"
        try:
            claim = Claim.model_validate({**item, "source": source})
        except ValidationError as error:
            raise DataError(f"{named}: {_first(error)}", "See docs/claims.md") from None
        if claims.setdefault(claim.id, claim) is not claim:
            raise DataError(f"{named}: the id a second time", "Give every claim an id of its own")
    return list(claims.values())


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else str(first["msg"]).removeprefix("Value error, ")
