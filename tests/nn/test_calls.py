"""Usual mistakes with every public name of nn and data: keywords, kinds of values, shapes; each is an error of ours."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import data, nn
from argflux.errors import ArgfluxError, ArgumentError
from argflux.module import Module
from argflux.othernames import OTHER_NAMES
from tests.nn.layers import LAYERS

PUBLIC = {name: getattr(package, name) for package in (nn, data) for name in package.__all__}
PUBLIC = {name: value for name, value in PUBLIC.items() if callable(value) and name != "Buffer"}
OPEN = ["Chain", "Parallel", "PairwiseFusion"]  # whose keywords are the names of layers
X = jnp.array([[0.2, 0.8], [0.6, 0.4]])
ACTIVATIONS = dict.fromkeys(nn.activation.__all__, (X,))
LOSSES = {name: (X, X) for name in nn.losses.__all__ if name != "label_smoothing"}
VALID = ACTIVATIONS | LOSSES | {
    "label_smoothing": (X, 0.1), "xlogx": (X,), "cat": (X, X), "nfan": ((2, 3),), "seed": (0,),
    "Dense": (3, 2), "Scale": (3,), "Bilinear": (3, 2), "Embedding": (5, 3), "Conv": ((2,), 1, 2),
    "DepthwiseConv": ((2,), 1), "ConvTranspose": ((2,), 1, 2), "MaxPool": ((2,),), "MeanPool": ((2,),),
    "AdaptiveMaxPool": ((2,),), "AdaptiveMeanPool": ((2,),), "GlobalMaxPool": (), "GlobalMeanPool": (), "Flatten": (),
    "Upsample": (2,), "PixelShuffle": (2,), "LayerNorm": (3,), "GroupNorm": (4, 2), "InstanceNorm": (3,),
    "BatchNorm": (3,), "Dropout": (0.5,), "AlphaDropout": (0.5,), "RNN": (3, 2), "LSTM": (3, 2), "GRU": (3, 2),
    "RNNCell": (3, 2), "LSTMCell": (3, 2), "GRUCell": (3, 2), "MultiHeadAttention": (8,),
    "SkipConnection": (nn.relu, jnp.add), "Maxout": (nn.relu,),
    "DataLoader": (np.ones(4),), "accuracy": (X, jnp.array([0, 1])), "make_moons": (6,), "load_digits": (),
    "onehot": ("a", ["a", "b"]), "onehotbatch": (["a"], ["a", "b"]), "onecold": (X,), "splitobs": (np.ones(9),),
    "kfolds": (np.ones(9),),
    "Parallel": (jnp.add,), "PairwiseFusion": (jnp.add,),
}  # fmt: skip


def parameters(name):
    return inspect.signature(PUBLIC[name]).parameters


@pytest.mark.parametrize("name", PUBLIC)
def test_an_unknown_keyword(name):
    with pytest.raises(ArgfluxError, match=name if name not in OPEN else "something callable"):
        PUBLIC[name](*VALID.get(name, ()), no_such_option=1)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in OPEN])
def test_a_mistyped_keyword_is_told_its_right_name(name):
    own = [p.name for p in parameters(name).values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for right in own:
        wrong = right + right[-1]
        with pytest.raises(ArgumentError) as caught:
            PUBLIC[name](**{wrong: 1})
        assert caught.value.todo == f"write {right}=" or wrong in OTHER_NAMES


@pytest.mark.parametrize("name", VALID)
def test_every_argument_of_a_wrong_kind(name):
    given = list(parameters(name).values())
    for place, parameter in enumerate(given):
        if parameter.annotation is inspect.Parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
            continue
        for wrong in (object(), "nonsense"):
            args, kwargs = list(VALID[name]), {}
            if place < len(args):
                args[place] = wrong
            elif parameter.kind is parameter.VAR_POSITIONAL:
                args.append(wrong)
            else:
                kwargs[parameter.name] = wrong
            call_or_our_error(PUBLIC[name], *args, **kwargs)


def call_or_our_error(f, *args, **kwargs):
    """Call what may take anything; what is refused must be so by an error of ours."""
    try:
        f(*args, **kwargs)
    except ArgfluxError as error:
        return error
    return None


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in VALID and name not in OPEN])
def test_nothing_at_all(name):
    required = [p for p in parameters(name).values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if required:
        with pytest.raises(ArgumentError, match=f"{name}: got a call with missing a required argument"):
            PUBLIC[name]()


OURS = [name for name in LAYERS if not name.startswith(("empty", "dataclass", "Equinox"))]


@pytest.mark.parametrize("name", OURS)
def test_what_layers_are_called_on(name):
    layer = LAYERS[name].make()
    if not isinstance(layer, Module):
        return
    for wrong in (None, "text", object(), {"a": 1}):
        with pytest.raises(ArgfluxError):
            jax.eval_shape(lambda wrong=wrong: layer(wrong))
    with pytest.raises(ArgumentError, match="keyword no_such_option=1"):
        layer(jnp.ones(3), no_such_option=1)


@pytest.mark.parametrize(
    ("call", "todo"),
    [
        (lambda: nn.Chain([nn.relu, nn.tanh]), "unpack it: Chain(*layers)"),
        (lambda: nn.Chain({"a": nn.relu}), "unpack it: Chain(**layers)"),
        (lambda: nn.Conv((3, 3), 1, 2, pad=1), "write padding= (pad in Flux)"),
        (lambda: nn.Conv((3, 3), 1, 2, strides=2), "write stride= (strides in Keras and Flax)"),
        (lambda: nn.Dense(in_features=3), "write inputs= (in_features in PyTorch and Flax's NNX)"),
        (lambda: nn.Dense(3, 2, use_bias=False), "write bias= (use_bias in Keras, Flax and Equinox)"),
        (lambda: data.DataLoader(np.ones(3), batch_size=2), "write batchsize= (batch_size in PyTorch and Keras)"),
        (lambda: data.DataLoader(np.ones(3), drop_last=True), "write partial=not drop_last (drop_last in PyTorch)"),
        (lambda: nn.Dropout(rate=0.5), "write p= (rate in Keras and Flax)"),
        (lambda: nn.LSTM(3, hidden_size=2), "write hidden= (hidden_size in PyTorch and Equinox)"),
        (lambda: nn.MultiHeadAttention(8, num_heads=2), "write heads= (num_heads in PyTorch, Keras and Equinox)"),
        (lambda: nn.MultiHeadAttention(8, dytpe=2), "write dtype="),
        (lambda: nn.softmax(X, dim=1), "write axis= (dim in PyTorch)"),
        (lambda: nn.mse(X, X, reduction="sum"), "write agg= (reduction in PyTorch and Keras)"),
        (lambda: nn.BatchNorm(3, epsilon=1), "write eps= (epsilon in Keras and Flax)"),
    ],
)
def test_names_of_other_libraries(call, todo):
    with pytest.raises(ArgfluxError) as caught:
        call()
    assert caught.value.todo == todo
