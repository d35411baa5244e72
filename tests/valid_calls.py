"""Small calls that are right: of each public entry, with every argument that a user may get wrong."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from argflux import autodiff, data, nn, patterns, plots, programs, training
from argflux.nn import initialisers

KEY = np.array([0, 1], np.uint32)
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 1, 1, 0])
ROWS = np.full((4, 2), 0.5, np.float32)
PICTURES = np.ones((2, 4, 4, 1), np.float32)
SERIES = np.ones((2, 4, 3), np.float32)
UNIT, ONES = np.eye(2, dtype=np.float32), np.ones(2, np.float32)
WEIGHT = np.array([[1.0, -1.0, 0.5], [0.5, 1.0, -1.0]], np.float32)
MODEL = nn.Chain(nn.Dense(WEIGHT, activation=nn.relu), nn.Dense(UNIT))
DENSE = nn.Dense(WEIGHT)
STATE = training.setup(training.Adam(), MODEL)
RECORD = training.Record(1, 1, 0.5)
HISTORY = training.History([RECORD], [0.5])
STARTS = [
    {"family": "f", "start": i, "before": {"zeros": i}, "after": {"gap": 0.1}, "test accuracy": [0.1, 0.2]}
    for i in range(4)
]
STUDY = patterns.Study({"families": ["f"], "epochs": 1, "every": 1, "starts": 4}, STARTS)
PROGRAM = programs.Program(lambda x, p: jnp.sum(x * x) - jnp.dot(p, x), (2,), lower=0.0)


class Call(NamedTuple):
    """An entry, and arguments with which it works."""

    name: str
    entry: Callable
    arguments: dict[str, Any]


def call(entry: Callable, /, **arguments: Any) -> Call:
    """A call of an entry by keywords."""
    return Call(entry.__qualname__, entry, arguments)


def of(name: str, entry: Callable, /, **arguments: Any) -> Call:
    """A call through a function, where arguments have no keywords or belong to an object."""
    return Call(name, entry, arguments)


def loss(model: Any, x: Any, y: Any) -> Any:
    """A loss of any arrays on a batch of X and Y."""
    return jnp.mean((sum(map(jnp.sum, jax.tree.leaves(model))) * x[..., 0] - y.astype(float)) ** 2)


def square(x: Any) -> Any:
    """A function with a gradient."""
    return jnp.sum(x * x)


TRAINING = [
    call(training.Descent, rate=0.1),
    call(training.Adam, rate=0.1, beta=(0.9, 0.99), eps=1e-8),
    call(training.ClipNorm, limit=1.0),
    of("OptimiserChain", lambda rule: training.OptimiserChain(rule), rule=training.Adam()),
    call(training.Checkpoint, path="a.npz", every=1.0),
    call(training.History, records=[RECORD], losses=np.array([0.5]), failed_programs=np.array([0])),
    call(training.History.load, path="nowhere"),
    call(training.History.parse, lines=list(HISTORY.lines())),
    of("History.column", HISTORY.column, name="loss"),
    of("History.save", HISTORY.save, path="history.jsonl"),
    of("Record.score", RECORD.score, name="loss"),
    call(training.adjust, state=STATE, rate=0.1),
    call(training.early_stopping, score="loss", n=2, min_dist=0.0),
    call(training.plateau, score="loss", n=2, min_dist=0.0),
    call(training.keep_best, score="loss", path=None),
    of("a score", lambda record: training.early_stopping()(record), record=RECORD),
    call(training.patience, predicate=bool, n=2),
    call(training.every_steps, n=2, f=print),
    call(training.throttle, f=print, seconds=1.0),
    call(training.freeze, state=STATE, where="layers[0]"),
    call(training.thaw, state=STATE, where=""),
    call(training.rule, cls=type("Own", (training.Rule,), {"__annotations__": {"rate": float}, "rate": 0.1})),
    call(training.setup, rule=training.Adam(), model=MODEL),
    call(training.load, path="nowhere.npz", like=MODEL),
    call(training.loadmodel, model=MODEL, source=dict(nn.trainables(MODEL)), names=None),
    call(training.save, path="model.npz", model=MODEL),
    of(
        "export",
        lambda path, model, x, to: training.export(path, model, x, platforms=to),
        path="nowhere",
        model=MODEL,
        x=X,
        to=["cpu"],
    ),
    call(training.update, state=STATE, model=MODEL, grads=MODEL, value=None),
    call(
        training.train,
        loss=loss,
        model=MODEL,
        data=[(X, Y)],
        rule=training.Descent(),
        epochs=1,
        callback=None,
        until=None,
        validation=(X, Y),
        metrics=None,
        gradient=None,
        progress=False,
        checkpoint=None,
        key=None,
    ),
    of(
        "metrics",
        lambda f: training.train(
            loss, MODEL, [(X, Y)], training.Descent(), metrics={"f": f}, validation=X, progress=False
        ),
        f=lambda model, x: 0.0,
    ),
]
PATTERNS = [
    call(patterns.activation_pattern, model=MODEL, x=X),
    call(patterns.count_patterns, model=MODEL, x=X, batch_axes=1),
    call(patterns.count_zeros, model=MODEL, x=X, labels=Y, batch_axes=1),
    call(
        patterns.design_weights,
        model=MODEL,
        x=X,
        kappa=0.1,
        margin=0.1,
        minimise="zeros",
        trust=None,
        scale="signal",
        samples=4,
        init=None,
        solver="auto",
        threads=1,
        progress=False,
    ),
    of(
        "designed",
        lambda x, start, kappa: patterns.designed(x, start=start, kappa=kappa)(jax.random.key(0), (2, 3)),
        x=X,
        start=initialisers.glorot_uniform,
        kappa=0.1,
    ),
    call(patterns.find_sites, model=MODEL, x=X),
    of(
        "Sites.values",
        patterns.find_sites(MODEL, X).values,
        model=MODEL,
        x=X,
        sites=patterns.find_sites(MODEL, X).found,
    ),
    call(patterns.gap_identity, model=MODEL, x=X, dx=X, dm=MODEL),
    call(patterns.generalisation_gap, model=MODEL, x=X, dx=X, dm=MODEL),
    call(patterns.line_regions, model=MODEL, start=X[0], end=X[1]),
    call(patterns.plane_regions, model=MODEL, origin=X[0], u=X[1], v=X[2], bounds=(-1.0, 1.0, -1.0, 1.0)),
    call(patterns.local_affine_map, model=MODEL, x=X[0]),
    call(patterns.region_radius, model=MODEL, x=X[0], norm=2, batch_axes=0),
    call(patterns.preactivations, model=MODEL, x=X),
    call(patterns.redraw, network=MODEL, key=jax.random.key(0), init=initialisers.ones),
    call(patterns.Family, name="own", draw=lambda key, network, x: network),
    call(patterns.load_study, folder="nowhere"),
    call(
        patterns.study_initialisations,
        families=["uniform"],
        network=MODEL,
        data=((X, Y), (X, Y)),
        starts=1,
        epochs=1,
        batchsize=4,
        loss=nn.logitcrossentropy,
    ),
    call(patterns.verdict, study=STUDY),
    of("Study.measure", STUDY.measure, name="zeros"),
    of("Study.outcome", STUDY.outcome, name="gap"),
    of("Study.comparisons", STUDY.comparisons, reference="f"),
    of("Study.correlations", STUDY.correlations, within=True),
]
PLOTS = [
    call(plots.class_zeros, counts=np.ones((2, 4)), sizes=np.array([1, 2]), classes=("a", "b")),
    call(plots.confusion, labels=Y, predictions=Y, classes=("a", "b")),
    call(plots.confusion_matrix, labels=Y, predictions=Y, count=2),
    call(
        plots.decision_boundary, predict=lambda x: np.tile([0.5, 0.5], (len(x), 1)), x=X[:, :2], y=Y, classes=("a", "b")
    ),
    call(plots.digit_grid, images=np.ones((4, 3, 3)), labels=Y, predictions=Y, classes=("a", "b"), columns=2, limit=4),
    call(plots.families_compared, study=STUDY),
    call(plots.forest_of_correlations, studies={"one": STUDY}),
    call(plots.learning_curves, study=STUDY),
    call(plots.line_pieces, t=np.array([0.0, 0.5, 1.0]), outputs=np.ones((3, 2)), sites=("a",)),
    call(plots.linear_regions, polygons=[np.array([[0.0, 0], [1, 0], [0, 1]])], points=X[:, :2], labels=Y),
    call(plots.loss_curve, losses=[1.0, 0.5]),
    call(plots.save_figure, figure=Figure(), path="figure.png", dpi=20),
    call(plots.scatter_starts, study=STUDY, measures=["zeros"], outcome="gap"),
    call(plots.sensitivity_bars, slopes={"rhs": {"iron": 1.5}}, of="price", title=""),
    call(plots.study_page, studies={"one": STUDY}, path="study.html", verdict={"one": ["Nothing."]}),
    call(plots.zero_fractions, per_unit={"a": np.array([1, 2])}, observations=4),
]
DATA = [
    call(data.DataLoader, data=(X, Y), batchsize=2, shuffle=True, partial=True, seed=0),
    of("DataLoader.order", data.DataLoader((X, Y), 2).order, epoch=0),
    of("Dataset", lambda classes: repr(data.Dataset(X, Y, classes, "own")), classes=(0, 1)),
    call(data.accuracy, scores=ROWS, y=Y),
    of("check_data", lambda data_: data.check_data(data_), data_=(X, Y)),
    call(data.kfolds, data=(X, Y), k=2, shuffle=True, seed=0),
    call(data.load_digits, split=0.5, seed=0),
    call(data.load_mnist, data="nowhere"),
    call(data.make_moons, n=4, noise=0.1, seed=0),
    call(data.onecold, y=ROWS, classes=("a", "b")),
    call(data.onehot, label="a", classes=("a", "b"), dtype="float32"),
    call(data.onehotbatch, labels=["a", "b"], classes=("a", "b"), dtype="float32"),
    call(data.read_idx, path="nowhere"),
    call(data.splitobs, data=(X, Y), at=0.5, shuffle=True, seed=0),
]
MATRICES = {"A": UNIT[:1], "b": ONES[:1], "G": UNIT, "h": 9 * ONES, "lower": -ONES, "upper": 9 * ONES}
OPTIONS = {"start": None, "solver": None, "tolerance": 1e-6, "max_iterations": 100, "on_failure": "zero"}
CONE_OPTIONS = {"tolerance": 1e-6, "max_iterations": 100, "on_failure": "zero"}
DECISIONS = {"cost": ROWS, "maximise": False, "axes": 1, "agg": jnp.mean}
PROGRAMS = [
    call(programs.solve_qp, P=UNIT, q=ONES, **MATRICES, **OPTIONS),
    call(programs.solve_lp, c=ONES, **MATRICES, smoothing=None, **OPTIONS),
    call(programs.solve_cone, P=UNIT, q=ONES, A=-UNIT, b=ONES, cones=[programs.cones.NonNegative(2)], **CONE_OPTIONS),
    call(programs.cones.second_order, t=1.0, v=ONES),
    call(programs.cones.semidefinite, M=UNIT),
    call(programs.cones.exponential, x=1.0, y=1.0, z=ONES),
    call(programs.cones.power, x=1.0, y=1.0, z=ONES, a=0.5),
    call(programs.Polyhedron, **MATRICES),
    call(programs.read_program, path="nowhere.mps", relax=False),
    of("Program.write", lambda path: PROGRAM.write(path), path="program.mps"),
    of(
        "project",
        lambda polyhedron, x: programs.project(polyhedron)(x),
        polyhedron=programs.box(0.0, 1.0),
        x=ONES,
    ),
    call(programs.affine, A=UNIT[:1], b=ONES[:1]),
    call(programs.box, lower=0.0, upper=1.0),
    call(programs.halfspace, normal=ONES, offset=1.0),
    call(programs.increasing, n=3),
    call(programs.simplex, n=3, total=1.0),
    call(programs.birkhoff, n=2),
    call(programs.transport, rows=ONES, columns=ONES),
    call(programs.box_section, lower=-ONES, upper=ONES, total=1.0, normal=ONES),
    call(programs.NormBall, norm=2, radius=1.0),
    call(programs.nearest_correlation, M=UNIT, diagonal=1.0),
    call(programs.soft_rank, x=ONES, strength=1.0),
    of(
        "Program",
        lambda objective, variable, lower, p: programs.Program(objective, variable, lower=lower)(p),
        objective=lambda x, p: jnp.sum(x * x) - jnp.dot(p, x),
        variable=(2,),
        lower=0.0,
        p=ONES,
    ),
    of(
        "options of Program",
        lambda **options: programs.Program(lambda x, p: square(x - p), (2,), **options)(ONES),
        tolerance=1e-6,
        max_iterations=100,
    ),
    of("Program.solve", lambda p, start: PROGRAM.solve(p, start=start), p=ONES, start=None),
    of(
        "Program.forward",
        lambda tangents: PROGRAM.forward_differentiate(ONES, tangents=tangents),
        tangents={"p": ONES},
    ),
    of(
        "Program.reverse",
        lambda cotangents: PROGRAM.reverse_differentiate(ONES, cotangents=cotangents),
        cotangents={"x": ONES},
    ),
    of("ProgramLayer", lambda program: programs.ProgramLayer(program), program=PROGRAM),
    of("ProgramLayer()", lambda x: programs.ProgramLayer(PROGRAM)(x), x=ROWS),
    call(programs.regret, program=lambda c: -c, true_cost=ROWS, solution=None, **DECISIONS),
    call(programs.spo_plus_loss, program=lambda c: -c, true_cost=ROWS, solution=None, **DECISIONS),
    call(
        programs.perturbed_loss,
        program=lambda c: -c,
        solution=ROWS,
        key=jax.random.key(0),
        scale=1.0,
        samples=2,
        **DECISIONS,
    ),
    call(programs.fenchel_young_loss, program=lambda c: -c, solution=ROWS, regulariser=square, **DECISIONS),
]
MADE = {"bias": True, "init": initialisers.ones, "key": None, "dtype": None}
LAYERS = [
    call(nn.Dense, inputs=3, outputs=2, activation=nn.relu, **MADE),
    call(nn.Bilinear, inputs=3, outputs=2, activation=nn.relu, **MADE),
    call(
        nn.Conv,
        window=(2, 2),
        inputs=1,
        outputs=2,
        activation=nn.relu,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        **MADE,
    ),
    call(
        nn.ConvTranspose,
        window=(2, 2),
        inputs=1,
        outputs=2,
        activation=nn.relu,
        stride=1,
        padding=0,
        output_padding=0,
        **MADE,
    ),
    call(nn.DepthwiseConv, window=(2, 2), inputs=1, outputs=2, activation=nn.relu),
    call(nn.RNN, inputs=3, hidden=2, activation=nn.tanh, return_state=False, state_init=initialisers.ones, **MADE),
    call(nn.LSTM, inputs=3, hidden=2),
    call(nn.GRUCell, inputs=3, hidden=2),
    call(nn.Recurrence, cell=nn.GRUCell(3, 2)),
    call(nn.MaxPool, window=(2, 2), stride=None, padding=0),
    call(nn.AdaptiveMeanPool, sizes=(2, 2)),
    call(nn.BatchNorm, channels=2, activation=nn.relu, eps=1e-5, momentum=0.1, training=None, dtype="float32"),
    call(nn.GroupNorm, channels=2, groups=1, activation=nn.relu, eps=1e-5, dtype=None),
    call(nn.LayerNorm, size=3, activation=nn.relu, eps=1e-5, dtype=None),
    call(nn.Dropout, p=0.5, axes=None),
    call(nn.AlphaDropout, p=0.5),
    call(nn.Embedding, entries=3, width=2, padding=None, init=initialisers.ones, key=None, dtype=None),
    call(nn.MultiHeadAttention, inputs=4, hidden=None, outputs=None, heads=2, dropout=0.0),
    call(nn.Scale, size=3, activation=nn.relu, **MADE),
    call(nn.SkipConnection, layer=DENSE, connection=jnp.add, activation=nn.relu),
    call(nn.Upsample, scale=2, mode="nearest", size=None),
    call(nn.PixelShuffle, factor=2),
    of("Chain", lambda layer: nn.Chain(layer), layer=DENSE),
    of("Maxout", lambda layer: nn.Maxout(layer, DENSE), layer=DENSE),
    of("Parallel", lambda connection, x: nn.Parallel(connection, DENSE, DENSE)(x), connection=jnp.add, x=X),
    of("PairwiseFusion", lambda x: nn.PairwiseFusion(jnp.add, nn.identity, nn.identity)(x, X), x=X),
]
CALLED = [
    of(f"{type(layer).__name__}()", layer.__call__, **arguments)
    for layer, arguments in (
        (DENSE, {"x": X}),
        (MODEL, {"x": X}),
        (nn.Conv((2, 2), 1, 2), {"x": PICTURES}),
        (nn.GRU(3, 2), {"x": SERIES, "state": None}),
        (nn.BatchNorm(3), {"x": X}),
        (nn.Bilinear(3, 2), {"x": X, "z": X}),
        (nn.Dropout(0.5), {"x": X, "key": None}),
        (nn.Embedding(3, 2), {"x": Y}),
        (nn.GlobalMeanPool(), {"x": PICTURES}),
        (nn.MultiHeadAttention(3, heads=1), {"query": SERIES, "key": SERIES, "value": SERIES, "mask": None}),
        (nn.Scale(3), {"x": X}),
        (nn.Upsample(2), {"x": PICTURES}),
    )
]
_OF_LOSSES = {"yhat": ROWS, "y": ROWS, "x": ROWS, "agg": jnp.mean, "axis": -1, "alpha": 0.1, "delta": 1.0, "gamma": 2.0}
FUNCTIONS = [
    call(f, **{name: _OF_LOSSES[name] for name in inspect.signature(f).parameters if name in _OF_LOSSES})
    for f in (nn.softmax, nn.glu, nn.leakyrelu, nn.softshrink, nn.xlogy, nn.label_smoothing, nn.mse)
]
LOSSES = [
    call(f, yhat=ROWS, y=ROWS, agg=jnp.mean)
    for f in (nn.crossentropy, nn.logitcrossentropy, nn.focal_loss, nn.binarycrossentropy, nn.huber_loss)
]
MODELS = [
    of("activations", lambda model, x: nn.activations(model, x), model=MODEL, x=X),
    of("cat", lambda a: nn.cat(-1)(a, X), a=X),
    of("infer", lambda model, x: nn.infer(model, x), model=nn.Chain(nn.Dense(None, 2)), x=X),
    of("outputsize", lambda model, x: nn.outputsize(model, x), model=MODEL, x=(4, 3)),
    of("rebuild", nn.destructure(MODEL)[1], flat=nn.destructure(MODEL)[0]),
    of("withstate", lambda f: nn.withstate(f), f=loss),
    call(nn.destructure, model=MODEL),
    call(nn.nfan, shape=(2, 3)),
    call(nn.replace_at, model=MODEL, path="layers[0].weight", value=WEIGHT),
    call(nn.seed, number=0),
    call(nn.trainmode, model=MODEL, training=True),
    of(
        "glorot_uniform",
        lambda key, shape, dtype, gain: initialisers.glorot_uniform(key, shape, dtype, gain=gain),
        key=None,
        shape=(2, 3),
        dtype="float32",
        gain=1.0,
    ),
]
AUTODIFF = [
    *(
        of(f.__name__, lambda function, f=f: f(function, X), function=square)
        for f in (autodiff.gradient, autodiff.withgradient, autodiff.pullback, autodiff.code_ir)
    ),
    of("hessian", lambda f: autodiff.hessian(f, ONES), f=square),
    of("cotangent", lambda dy: autodiff.pullback(square, X)[1](dy), dy=np.float32(1)),
    of("check_rrule", lambda seed, order: autodiff.check_rrule(jnp.sum, ONES, order=order, seed=seed), seed=0, order=1),
    call(autodiff.checkpointed, f=square, policy=None),
    call(autodiff.hook, x=X, f=lambda dx: dx),
    of("Params.map", autodiff.params(MODEL).map, function=jnp.zeros_like),
    call(autodiff.primitive, function=square),
    of("rrule", lambda name: autodiff.rrule(name), name="sin_of_mine"),
]
PACKAGES = {
    "training": TRAINING,
    "patterns": PATTERNS,
    "plots": PLOTS,
    "data": DATA,
    "programs": PROGRAMS,
    "nn": LAYERS + CALLED + FUNCTIONS + LOSSES + MODELS,
    "autodiff": AUTODIFF,
}
