# SPDX-License-Identifier: Apache-2.0
"""Golden files of the types that ggml decodes and its Python package does not, or not all; weights/golden_test.cc reads
them.

Usage: python make_ggml_golden.py FOLDER [LIBRARY]   (needs numpy and gguf; LIBRARY: libggml-base.so, by default that of
       llama-cpp-python)
  golden_blocks.gguf      one tensor for each type, named after it, of random bits
  golden_blocks_f32.gguf  what ggml decodes each of them to
"""
import ctypes
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

ROWS, ROW = 2, 512  # Two blocks of the largest type in a row
HALF_AT = {Type.TQ1_0: 52, Type.TQ2_0: 64, Type.Q1_0: 0, Type.Q2_0: 0}  # Where a block has its scale


def library(path):
    if path is None:
        import llama_cpp
        path = pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"
    return ctypes.CDLL(str(path))


def random_blocks(generator, kind):
    """Every bit at random, but scales that are finite halves, some of them subnormal."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (ROWS * ROW // elements, size), dtype=np.uint8)
    if kind == Type.MXFP4:
        blocks[:, 0] = np.resize([0, 1, 2, 100, 126, 127, 128, 200, 253, 254], len(blocks))
    else:
        scales = generator.standard_normal((len(blocks), 1)).astype(np.float16)
        scales[0] = np.float16(3 * 2.0**-24)
        at = HALF_AT[kind]
        blocks[:, at:at + 2] = scales.view(np.uint8)
    return blocks


def decoded(ggml, kind, blocks):
    floats = np.empty(ROWS * ROW, dtype=np.float32)
    decode = getattr(ggml, "dequantize_row_" + kind.name.lower())
    decode(ctypes.c_void_p(blocks.ctypes.data), ctypes.c_void_p(floats.ctypes.data), ctypes.c_int64(floats.size))
    return floats.reshape(ROWS, ROW)


def write(writer, path):
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder, path=None):
    ggml, generator = library(path), np.random.default_rng(20261130)
    stored, floats = gguf.GGUFWriter(None, "golden"), gguf.GGUFWriter(None, "golden")
    for kind in (Type.TQ1_0, Type.TQ2_0, Type.MXFP4, Type.Q1_0, Type.Q2_0):
        blocks = random_blocks(generator, kind)
        stored.add_tensor(kind.name, np.ascontiguousarray(blocks.reshape(ROWS, -1)), raw_dtype=kind)
        floats.add_tensor(kind.name, decoded(ggml, kind, blocks))
    write(stored, folder / "golden_blocks.gguf")
    write(floats, folder / "golden_blocks_f32.gguf")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:3])
