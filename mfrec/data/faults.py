"""Rows that cannot be used: counted by fault, and refused or left out."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mfrec.data.refusals import RefusedError
from mfrec.data.table import Table

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Faults:
    """What is wrong with the rows of a table, column by column."""

    table: Table
    found: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    bad: list[Mask] = field(default_factory=list)

    def add(self, column: str, what: str, rows: Mask) -> None:
        """Note a fault of a column and the rows that have it."""
        count = int(rows.sum())
        if count:
            self.found.setdefault(column, []).append((what, count, int(rows.argmax())))
            self.bad.append(rows)

    def keep(self) -> Mask | None:
        """Return the rows without a fault; None where no row has one."""
        return ~np.logical_or.reduce(self.bad) if self.bad else None

    def settle(self, drop: bool) -> tuple[Mask | None, tuple[str, ...]]:
        """Return the rows to keep (None: all) and what to note; RefusedError unless they may be dropped."""
        keep = self.keep()
        if keep is None:
            return None, ()
        count = len(keep) - int(keep.sum())
        parts = [
            f"{column}: " + ", ".join(f"{n} {what} (first in {self.table.place(row)})" for what, n, row in faults)
            for column, faults in self.found.items()
        ]
        listed, unit = "; ".join(parts), self.table.unit
        if not drop:
            told = f"{self.table.name} has {count} of {len(keep)} {unit} that cannot be used: {listed}"
            if self.table.cells is not None:
                # there is no option for a matrix
                raise RefusedError(f"{told}. Mend them, or take them out of the matrix")
            raise RefusedError(
                f"{told}. Mend them, or leave them out with --drop-invalid (drop_invalid=True in Python)",
                drop_invalid=True,
            )
        if not keep.any():
            raise RefusedError(f"{self.table.name}: none of its {len(keep)} {unit} can be used: {listed}")
        return keep, (f"{count} of {len(keep)} {unit} were left out: {listed}",)
