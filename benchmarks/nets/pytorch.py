"""The networks in PyTorch, channels first."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, length, inputs) to (batch, hidden)."""
        return self.module(x)[0][:, -1]


class Block(nn.Module):
    """A transformer's block: attention, then a gelu layer, each with a norm and a skip."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True, bias=False)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, length, width) to the same shape."""
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.feed(self.norms[1](x))


def conv_net() -> nn.Module:
    convs = [nn.Conv2d(i, 32, 3, padding=1) for i in (1, 32, 32)]
    return nn.Sequential(
        *(convs[0], nn.ReLU(), nn.MaxPool2d(2), convs[1], nn.ReLU(), nn.MaxPool2d(2), convs[2], nn.ReLU()),
        *(nn.Flatten(), nn.Linear(7 * 7 * 32, 10)),
    )


def batch_norm_net() -> nn.Module:
    block = lambda i, o: [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
    return nn.Sequential(*block(3, 32), *block(32, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def lstm() -> nn.Module:
    return nn.Sequential(Last(nn.LSTM(64, 64, batch_first=True)), nn.Linear(64, 10))


def attention() -> nn.Module:
    return Block(256, 8)


def gradient(model: nn.Module, x: np.ndarray) -> Callable[[], None]:
    """Return a call that computes the loss and its gradient."""
    batch = torch.tensor(np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim == 4 else x))

    def turn():
        model.zero_grad(set_to_none=True)
        model(batch).square().mean().backward()

    return turn
