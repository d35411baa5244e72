"""Recurrent layers: cells that take one step, and layers that take a whole sequence, batch first."""

from argflux.nn.recurrent.cells import GRUCell, LSTMCell, RNNCell
from argflux.nn.recurrent.sequence import GRU, LSTM, RNN, Recurrence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrence"]
