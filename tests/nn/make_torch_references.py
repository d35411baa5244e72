"""Write torch_references.safetensors: what PyTorch's layers and losses give, values and gradients, in float64.

Run it where PyTorch is installed: `python -m tests.nn.make_torch_references`. The tests read the file, and need no
PyTorch. Under `NAME/` lie the input `x` (and `x2`), the state dict of PyTorch's module (`state.…`), its output `y`,
and the gradients of sum(sin(y)) in the input (`dx`) and in the parameters (`grad.…`), all in PyTorch's layouts.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

FILE = Path(__file__).with_name("torch_references.safetensors")
BATCH = 3


class First(nn.Module):
    """The first output of a module that gives several."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return self.module(*inputs)[0]


class SelfAttention(nn.MultiheadAttention):
    """Attention of a sequence to itself."""

    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


class CausalAttention(nn.MultiheadAttention):
    """Attention of a sequence to what came before."""

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=torch.float64)
        return super().forward(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0]


# name: (module, shapes of the inputs without the batch, in PyTorch's layout)
LAYERS = {
    "Dense": (lambda: nn.Linear(3, 2), [(3,)]),
    "Bilinear": (lambda: nn.Bilinear(3, 4, 2), [(3,), (4,)]),
    "Conv": (lambda: nn.Conv2d(2, 3, (2, 3)), [(2, 5, 6)]),
    "Conv same": (lambda: nn.Conv1d(2, 3, 4, padding="same", dilation=2), [(2, 7)]),
    "Conv strides": (lambda: nn.Conv2d(4, 6, 3, stride=(2, 1), padding=1, dilation=(1, 2), groups=2), [(4, 6, 7)]),
    "Conv volume": (lambda: nn.Conv3d(1, 2, 2, stride=2), [(1, 4, 4, 4)]),
    "DepthwiseConv": (lambda: nn.Conv2d(2, 4, 2, groups=2), [(2, 4, 3)]),
    "ConvTranspose": (lambda: nn.ConvTranspose2d(2, 3, (3, 2)), [(2, 4, 3)]),
    "ConvTranspose strides": (
        lambda: nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=(1, 2)),
        [(4, 3, 2)],
    ),
    "MaxPool": (lambda: nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)), [(2, 5, 4)]),
    "MeanPool": (lambda: nn.AvgPool2d(3, stride=2, padding=1), [(2, 5, 4)]),
    "AdaptiveMeanPool": (lambda: nn.AdaptiveAvgPool2d((2, 3)), [(2, 4, 9)]),
    "AdaptiveMaxPool": (lambda: nn.AdaptiveMaxPool2d((3, 2)), [(2, 7, 4)]),
    "LayerNorm": (lambda: nn.LayerNorm((4, 3)), [(4, 3)]),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), [(4, 3, 2)]),
    "InstanceNorm": (lambda: nn.InstanceNorm2d(2, affine=True), [(2, 3, 2)]),
    "RNN": (lambda: First(nn.RNN(3, 2, batch_first=True)), [(4, 3)]),
    "LSTM": (lambda: First(nn.LSTM(3, 2, batch_first=True)), [(4, 3)]),
    "GRU": (lambda: First(nn.GRU(3, 2, batch_first=True)), [(4, 3)]),
    "MultiHeadAttention": (lambda: SelfAttention(4, 2, batch_first=True), [(5, 4)]),
    "MultiHeadAttention causal": (lambda: CausalAttention(4, 2, batch_first=True), [(5, 4)]),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), [(2, 3, 2)]),
    "Upsample to a size": (lambda: nn.Upsample(size=5), [(2, 3)]),
    "Upsample linearly": (lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), [(2, 3, 2)]),
    "Upsample by cells": (lambda: nn.Upsample(size=5, mode="linear", align_corners=False), [(2, 3)]),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), [(8, 2, 3)]),
}

# name: (loss, kind of targets)
LOSSES = {
    "mse": (functional.mse_loss, "values"),
    "mae": (functional.l1_loss, "values"),
    "huber_loss": (functional.huber_loss, "values"),
    "logitcrossentropy": (functional.cross_entropy, "onehot"),
    "logitbinarycrossentropy": (functional.binary_cross_entropy_with_logits, "bits"),
    "poisson_loss": (lambda yhat, y: functional.poisson_nll_loss(yhat.exp(), y, log_input=False, eps=0.0), "counts"),
    "kldivergence": (
        lambda yhat, y: functional.kl_div(yhat.log_softmax(-1), y, reduction="batchmean"),
        "distributions",
    ),
}


def layer(make, shapes) -> dict[str, torch.Tensor]:
    module = make().double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    inputs = [torch.randn(BATCH, *shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    y = module(*inputs)
    y.sin().sum().backward()
    kept = {"y": y.detach()}
    for name, x in zip(("x", "x2"), inputs, strict=False):
        kept |= {name: x.detach(), f"d{name}": x.grad}
    kept |= {f"state.{name.removeprefix('module.')}": value for name, value in module.state_dict().items()}
    named = module.named_parameters()
    return kept | {f"grad.{name.removeprefix('module.')}": value.grad for name, value in named}


def loss(function, kind: str) -> dict[str, torch.Tensor]:
    yhat = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    targets = {
        "values": torch.randn(5, 4, dtype=torch.float64),
        "onehot": functional.one_hot(torch.tensor([0, 1, 2, 3, 1]), 4).double(),
        "bits": torch.randint(0, 2, (5, 4)).double(),
        "counts": torch.randint(0, 5, (5, 4)).double(),
        "distributions": torch.randn(5, 4, dtype=torch.float64).softmax(-1),
    }
    value = function(yhat, targets[kind])
    value.backward()
    return {"x": yhat.detach(), "target": targets[kind], "y": value.detach(), "dx": yhat.grad}


def main() -> None:
    torch.manual_seed(0)
    kept = {f"{name}/{key}": value for name, row in LAYERS.items() for key, value in layer(*row).items()}
    kept |= {f"{name}/{key}": value for name, row in LOSSES.items() for key, value in loss(*row).items()}
    save_file({name: value.contiguous() for name, value in kept.items()}, FILE)


if __name__ == "__main__":
    main()
