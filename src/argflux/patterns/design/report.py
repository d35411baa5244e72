"""What `design_weights` did, layer by layer."""

import dataclasses

from argflux.patterns.regions.chunks import numbered


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One layer before and after its weights were designed, on the sample.

    Attributes:
        name: of the layer, such as `layers[0]`.
        units: how many it has.
        rows: how many rows the sample makes: one for each observation, or for each patch of it.
        programmed: how many of these the linear programs saw.
        columns: how many weights a unit has.
        zeros_before: the part of all pre-activations at or below the corner of the unit, before.
        zeros_after: the same, after.
        patterns_before: distinct patterns of the layer's units on the sample, before.
        patterns_after: the same, after.
        dead: units that are on for no row, after.
        distinct: units that no other unit is a multiple of, after.
        status: how many linear programs ended how.
        method: what solved them, simplex or first-order.
        scale: what the solution was multiplied by to keep the size of what the layer passes on.
        seconds: the time for the layer.
    """

    name: str
    units: int
    rows: int
    programmed: int
    columns: int
    zeros_before: float
    zeros_after: float
    patterns_before: int
    patterns_after: int
    dead: int
    distinct: int
    status: dict[str, int]
    method: str
    scale: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class DesignReport:
    """What `design_weights` did; printing it gives a table.

    Attributes:
        layers: a `LayerReport` for each designed layer, in order.
        observations: how many observations of the data were used.
        patterns_before: distinct patterns of all these units together on the sample, before.
        patterns_after: the same, after.
        seconds: the time in all.
    """

    layers: tuple[LayerReport, ...]
    observations: int
    patterns_before: int
    patterns_after: int
    seconds: float

    @property
    def zeros_before(self) -> float:
        """The part of all units' outputs that was zero."""
        return self._zeros("zeros_before")

    @property
    def zeros_after(self) -> float:
        """The part of all units' outputs that is zero."""
        return self._zeros("zeros_after")

    def _zeros(self, name: str) -> float:
        sizes = [layer.units * layer.rows for layer in self.layers]
        return sum(getattr(layer, name) * size for layer, size in zip(self.layers, sizes, strict=True)) / sum(sizes)

    def __str__(self) -> str:
        head = ("layer", "units", "zeros", "patterns", "dead", "distinct", "programs", "scale", "seconds")
        rows = [head, *map(_cells, self.layers)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        zeros = f"{self.zeros_before:.1%} → {self.zeros_after:.1%} zeros"
        patterns = f"{self.patterns_before} → {self.patterns_after} patterns"
        total = f"{zeros}, {patterns} on {numbered(self.observations)}, in {self.seconds:.1f} s"
        return "\n".join([*(line.rstrip() for line in lines), total])

    def __repr__(self) -> str:
        return f"DesignReport({str(self).splitlines()[-1]})"


def _cells(layer: LayerReport) -> tuple[str, ...]:
    status = ", ".join(f"{count} {word}" for word, count in layer.status.items())
    return (
        layer.name,
        str(layer.units),
        f"{layer.zeros_before:.1%} → {layer.zeros_after:.1%}",
        f"{layer.patterns_before} → {layer.patterns_after}",
        str(layer.dead),
        str(layer.distinct),
        f"{status} ({layer.method})",
        f"{layer.scale:.3g}",
        f"{layer.seconds:.2f}",
    )
