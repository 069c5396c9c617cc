"""Murmur3 x86-32 with seed 42 over UTF-8, as Spark hashes terms: of one text, and of an Arrow array of texts.

Two versions differ in how the last bytes go in, when a text is no multiple of four bytes long. Version 2 is the proper
algorithm, Spark 3's and later; version 1 is Spark 2's, which mixes each of those bytes in as if it were a word.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

SEED = 42
VERSIONS = (1, 2)
_C1, _C2, _ADD = 0xCC9E2D51, 0x1B873593, 0xE6546B64
_F1, _F2 = 0x85EBCA6B, 0xC2B2AE35
_MASK = 0xFFFFFFFF
Words = npt.NDArray[np.uint32]


def hash_text(text: str | None, version: int = 2) -> int:
    """The hash of one text, a signed 32-bit number; null hashes to the seed. Java writes a lone surrogate as `?`."""
    if text is None:
        return SEED
    data = text.encode("utf-8", "replace")
    h, whole = SEED, len(data) & ~3
    for word in _words(len(data) >> 2)(data):  # `_mixed` written out: most of the time goes here
        k = word * _C1 & _MASK
        h ^= (k << 15 | k >> 17) * _C2 & _MASK
        h = (h << 13 | h >> 19) * 5 + _ADD & _MASK
    if version == 1:
        for byte in data[whole:]:
            h = _mixed(h, byte - 256 if byte > 127 else byte)
    elif whole < len(data):
        h ^= _scrambled(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h = (h ^ h >> 16) * _F1 & _MASK
    h = (h ^ h >> 13) * _F2 & _MASK
    h ^= h >> 16
    return h - (1 << 32) if h >> 31 else h


@lru_cache(256)
def _words(count: int) -> Callable[[bytes], tuple[int, ...]]:
    """A function that takes that many words from the front of bytes."""
    form = struct.Struct(f"<{count}I")
    return form.unpack_from


def _scrambled(k: int) -> int:
    k = k * _C1 & _MASK
    return (k << 15 | k >> 17) * _C2 & _MASK


def _mixed(h: int, k: int) -> int:
    h ^= _scrambled(k)
    return ((h << 13 | h >> 19) * 5 + _ADD) & _MASK


def hash_texts(array: pa.Array, version: int = 2) -> npt.NDArray[np.int32]:
    """`hash_text` of every text of an Arrow string array, in steps of four bytes over all of them at once."""
    starts, lengths, data = raw_bytes(array)
    data = np.concatenate([data, np.zeros(4, np.uint8)])
    words: Any = np.ndarray((len(data) - 3,), "<u4", buffer=data.data, strides=(1,))  # the four bytes from any place on
    h = np.full(len(starts), SEED, np.uint32)
    rows, step = np.flatnonzero(lengths >= 4), 0
    while len(rows):
        h[rows] = _mixed_all(h[rows], words[starts[rows] + step])
        step += 4
        rows = rows[lengths[rows] >= step + 4]
    tails, at = lengths & 3, starts + (lengths & ~3)
    if version == 1:
        for n in range(3):
            rows = np.flatnonzero(tails > n)
            signed = data[at[rows] + n].view(np.int8).astype(np.int32).view(np.uint32)
            h[rows] = _mixed_all(h[rows], signed)
    else:
        h ^= _scrambled_all(words[at] & np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], np.uint32)[tails])
    h ^= lengths.astype(np.uint32)
    h = (h ^ h >> np.uint32(16)) * np.uint32(_F1)
    h = (h ^ h >> np.uint32(13)) * np.uint32(_F2)
    h ^= h >> np.uint32(16)
    signed_hash = h.view(np.int32)
    if array.null_count:
        signed_hash[np.asarray(array.is_null())] = SEED
    return signed_hash


def _scrambled_all(k: Words) -> Words:
    k = k * np.uint32(_C1)
    return (k << np.uint32(15) | k >> np.uint32(17)) * np.uint32(_C2)


def _mixed_all(h: Words, k: Words) -> Words:
    h = h ^ _scrambled_all(k)
    return (h << np.uint32(13) | h >> np.uint32(19)) * np.uint32(5) + np.uint32(_ADD)


def raw_bytes(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """(where each text starts, its length in bytes, all bytes) of an Arrow string array; a null has length 0."""
    _, offsets, data = array.buffers()
    if not len(array):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8)
    ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    content = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None else np.zeros(0, np.uint8)
    lengths = np.diff(ends)
    if array.null_count:
        lengths[np.asarray(array.is_null())] = 0
    return ends[:-1] - ends[0], lengths, content
