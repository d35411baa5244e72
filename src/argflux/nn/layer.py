"""Layer: the base of the layers, which writes itself in a few words."""

from argflux.module import Module
from argflux.nn.show import summary


class Layer(Module):
    """An Equinox module that prints as its `label`, with the number of its parameters where there is room."""

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux.nn.layer import Layer
            >>> Layer().label()
            'Layer()'
        """
        return f"{type(self).__name__}()"

    def __repr__(self) -> str:
        return self.label()

    def __str__(self) -> str:
        return summary(self)
