"""Training: optimisers, their state, the loop, its records, and files to continue from."""

from argflux.compilation import compiler_options
from argflux.training.callbacks import early_stopping, every_steps, keep_best, patience, plateau, throttle
from argflux.training.chain import ClipGrad, ClipNorm, OptimiserChain, WeightDecay
from argflux.training.checkpoint import Checkpoint
from argflux.training.devices import join_processes
from argflux.training.export import export
from argflux.training.failures import FailedProgramsWarning
from argflux.training.history import History, Record
from argflux.training.rule import Rule, rule
from argflux.training.rules import (
    AdaBelief,
    AdaGrad,
    Adam,
    AdamW,
    Descent,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
)
from argflux.training.saving import load, save
from argflux.training.state import (
    OptimiserState,
    TiedArraysWarning,
    adjust,
    freeze,
    setup,
    thaw,
    update,
)
from argflux.training.state_dict import loadmodel
from argflux.training.train import train

__all__ = [
    "AdaBelief",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Checkpoint",
    "ClipGrad",
    "ClipNorm",
    "Descent",
    "FailedProgramsWarning",
    "History",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "OptimiserChain",
    "OptimiserState",
    "RAdam",
    "RMSProp",
    "Record",
    "Rule",
    "TiedArraysWarning",
    "WeightDecay",
    "adjust",
    "compiler_options",
    "early_stopping",
    "every_steps",
    "export",
    "freeze",
    "join_processes",
    "keep_best",
    "load",
    "loadmodel",
    "patience",
    "plateau",
    "rule",
    "save",
    "setup",
    "thaw",
    "throttle",
    "train",
    "update",
]
