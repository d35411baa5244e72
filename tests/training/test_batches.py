import jax.numpy as jnp
import numpy as np
import pytest

from argflux.data import DataLoader
from argflux.training import batches as module
from argflux.training.batches import LONGEST_CHUNK, LoaderSource, StreamSource, source_of
from argflux.training.flow import Flow


def rows(chunk):
    """Return what each step of a chunk trains on."""
    return [np.asarray(chunk.pool[0])[chunk.index[i]] for i in range(chunk.n)]


def numbered(count, size=2):
    return [(np.full(size, i, np.float32),) for i in range(count)]


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize("within_epoch", [False, True])
def test_chunks_hold_every_step_once_in_order(limit, within_epoch):
    loader = DataLoader((np.arange(7.0, dtype=np.float32),), 3, shuffle=True, seed=1)
    twin = DataLoader(loader.data, 3, shuffle=True, seed=1)
    expected = [batch[0] for _ in range(3) for batch in twin]
    flow, seen, ends, done = Flow(LoaderSource(loader), 0, 0, 3), [], [], 0
    while chunk := flow.take(limit, within_epoch):
        seen += rows(chunk)
        ends += [done + end for end in chunk.ends]
        done += chunk.n
        assert chunk.n <= limit
        assert not within_epoch or chunk.ends in ([], [chunk.n])
        assert len({len(row) for row in rows(chunk)}) == 1
    assert [row.tolist() for row in seen] == [row.tolist() for row in expected]
    assert ends == [3, 6, 9]


@pytest.mark.parametrize("start", [(0, 0), (0, 2), (1, 0), (1, 1), (2, 2)])
def test_a_flow_starts_anywhere(start):
    data = numbered(3)
    whole = [row[0] for row in rows(Flow(source_of(data, 3), 0, 0, 3).take(99, False))]
    part = [row[0] for row in rows(Flow(source_of(data, 3), *start, 3).take(99, False))]
    assert part == whole[start[0] * 3 + start[1] :]


def test_a_list_is_staged_once_and_each_batch_once():
    data = numbered(3)
    source = source_of([*data, data[0], data[1]], 4)
    flow = Flow(source, 0, 0, 4)
    chunks = [flow.take(2, False) for _ in range(10)]
    assert len({id(chunk.pool[0]) for chunk in chunks}) == 1
    assert chunks[0].pool[0].shape == (3, 2)
    assert [row[0] for chunk in chunks for row in rows(chunk)] == [0, 1, 2, 0, 1] * 4


def test_a_list_that_is_too_large_is_staged_in_parts(monkeypatch):
    monkeypatch.setattr(module, "_SEQUENCE_BYTES", 16)
    monkeypatch.setattr(module, "_POOL_BYTES", 32)
    flow = Flow(source_of(numbered(10), 1), 0, 0, 1)
    chunks = [flow.take(99, False) for _ in range(3)]
    assert [chunk.n for chunk in chunks] == [4, 4, 2]
    assert {chunk.pool[0].shape for chunk in chunks} == {(4, 2)}
    assert [row[0] for chunk in chunks for row in rows(chunk)] == list(range(10))


def test_batches_on_the_device_that_pass_by_again_are_staged_once():
    batch = (jnp.ones(2),)
    flow = Flow(StreamSource((batch for _ in range(600)), 1), 0, 0, 1)
    first, second = flow.take(256, False), flow.take(256, False)
    assert first.pool is second.pool


def test_a_stream_whose_arrays_change_is_staged_anew():
    buffer = np.zeros(2, np.float32)

    def stream():
        for i in range(6):
            buffer[:] = i
            yield (buffer,)

    flow = Flow(StreamSource(stream(), 1), 0, 0, 1)
    assert [row[0] for _ in range(3) for row in rows(flow.take(2, False))] == [0, 1, 2, 3, 4, 5]


def test_buffers_are_bounded():
    assert LoaderSource(DataLoader((np.zeros(4),), 1)).limit(np.zeros(1)) == LONGEST_CHUNK
    assert LoaderSource(DataLoader((np.zeros(4),), 1)).limit(np.zeros(2**19)) == 2
    assert LoaderSource(DataLoader((np.zeros(4),), 1)).limit(np.zeros(2**22)) == 1


def test_settings_are_described():
    assert source_of([1, 2], 1).describe() == "list of 2 batches"
    assert source_of((i for i in "ab"), 1).describe() == "generator"
    described = LoaderSource(DataLoader((np.zeros(4),), 2, shuffle=True, seed=3)).describe()
    assert "4 observations, 2 batches of 2, shuffled" in described
    assert "seed 3" in described
