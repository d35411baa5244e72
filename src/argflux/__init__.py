"""Neural networks whose layers can be optimisation problems, and optimisation problems that design networks.

Use it as `import argflux as af`. Names load when first used, so that the command line starts at once. What is not
listed here lies in the sub-packages: `af.nn`, `af.training`, `af.programs`, `af.patterns`, `af.data`, `af.autodiff`,
`af.plots`, `af.errors`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argflux import autodiff, data, errors, nn, patterns, plots, programs, training
    from argflux.autodiff import *
    from argflux.data import *
    from argflux.nn import *
    from argflux.nn import initialisers as init
    from argflux.patterns import *
    from argflux.programs import *
    from argflux.training import *

__version__ = "0.1.0"

_PACKAGES = ("autodiff", "data", "errors", "nn", "patterns", "plots", "programs", "training")
_NAMES = {
    "autodiff": """
        check_rrule checkpointed code_ir code_pullback gradient hessian hook ignore_derivatives jacobian
        params primitive pullback rrule withgradient
    """,
    "data": """
        DataLoader Dataset accuracy check_data kfolds load_digits load_mnist make_moons onecold onehot
        onehotbatch read_idx splitobs
    """,
    "nn": """
        AdaptiveMaxPool AdaptiveMeanPool AlphaDropout BatchNorm Bilinear Buffer Chain Conv ConvTranspose Dense
        DepthwiseConv Dropout Embedding Flatten GRU GRUCell GlobalMaxPool GlobalMeanPool GroupNorm InstanceNorm LSTM
        LSTMCell LayerNorm MaxPool Maxout MeanPool MultiHeadAttention PairwiseFusion Parallel PixelShuffle RNN RNNCell
        Recurrence Scale SkipConnection Upsample activations binary_focal_loss binarycrossentropy cat celu
        crossentropy destructure dice_coeff_loss elu focal_loss gelu gelu_erf gelu_sigmoid gelu_tanh glu hardsigmoid
        hardswish hardtanh hinge_loss huber_loss identity infer kldivergence label_smoothing leakyrelu lisht logcosh
        logitbinarycrossentropy logitcrossentropy logsigmoid logsoftmax logsumexp mae mish mse msle outputsize
        poisson_loss relu relu6 replace_at seed selu show siamese_contrastive_loss sigmoid softmax softplus softshrink
        softsign squared_hinge_loss swish tanh tanhshrink testmode trainables trainmode trelu tversky_loss withstate
        xlogx xlogy
    """,
    "patterns": """
        Study activation_pattern count_patterns count_zeros design_weights designed gap_identity
        generalisation_gap line_regions load_study local_affine_map plane_regions preactivations region_radius
        study_initialisations
    """,
    "programs": """
        ConeSolution NormBall Polyhedron Program ProgramLayer Solution Status affine birkhoff box box_section cones
        fenchel_young_loss halfspace increasing nearest_correlation perturbed_loss project read_program regret simplex
        soft_rank soft_sort solve_cone solve_lp solve_qp spo_plus_loss transport
    """,
    "training": """
        AdaBelief AdaGrad Adam AdamW ClipGrad ClipNorm Descent History Lion Momentum NAdam Nesterov OptimiserChain
        RAdam RMSProp WeightDecay adjust compiler_options early_stopping every_steps export freeze join_processes
        keep_best load loadmodel patience plateau save setup thaw throttle train update
    """,
}
_HOMES = {name: package for package, names in _NAMES.items() for name in names.split()}

__all__ = sorted(["init", *_PACKAGES, *_HOMES])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "init":
        value = importlib.import_module("argflux.nn.initialisers")
    elif name in _PACKAGES:
        value = importlib.import_module(f"argflux.{name}")
    elif name in _HOMES:
        value = getattr(importlib.import_module(f"argflux.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'argflux' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
