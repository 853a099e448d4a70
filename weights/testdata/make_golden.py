# SPDX-License-Identifier: Apache-2.0
"""Golden files that the format's own Python packages write; weights/golden_test.cc reads them.

Usage: python make_golden.py FOLDER   (needs numpy, gguf and safetensors)
  golden.gguf         one tensor for each type, named after it, and metadata of every kind
  golden_f32.gguf     what gguf decodes each of them to, and under "input" what the types it can encode were made from
  golden.safetensors  one tensor for each type that numpy has
"""
import pathlib
import sys

import gguf
import numpy as np
import safetensors.numpy
from gguf import GGMLQuantizationType as Type

ROWS, ROW = 2, 512  # Two blocks of the largest type in a row
ENCODED = [Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1]
DECODED_ONLY = [Type.Q4_K, Type.Q5_K, Type.Q6_K]


def hard_input(generator):
    """Weights of many magnitudes, with blocks that quantizers stumble over."""
    values = generator.standard_normal((ROWS, ROW)).astype(np.float32)
    values *= np.float32(10.0) ** np.repeat(generator.integers(-6, 4, (ROWS, ROW // 32)), 32, axis=1).astype(np.float32)
    values[0, :32] = 0
    values[0, 32:64] = 0.75                       # One value only: Q4_1 has no range
    values[0, 64:96] = np.arange(32) - 15.5       # Ties
    values[0, 96:128] = [-8, 8] * 16              # Two largest magnitudes of different sign
    values[0, 128:160] *= np.float32(1e-9)        # Scales that are subnormal halves
    values[1, :32] = np.abs(values[1, :32])
    return values


def random_blocks(generator, kind):
    """Every bit of a K block at random, but scales that are finite halves."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (ROWS * ROW // elements, size), dtype=np.uint8)
    scales = generator.standard_normal((len(blocks), 2)).astype(np.float16).view(np.uint8)
    places = {Type.Q4_K: (0, 4), Type.Q5_K: (0, 4), Type.Q6_K: (size - 2, size)}[kind]
    blocks[:, places[0]:places[1]] = scales[:, :places[1] - places[0]]
    return blocks.reshape(ROWS, -1)


def add_metadata(writer):
    writer.add_string("golden.text", "a\u00e9\u6c34")
    writer.add_bool("golden.bool", True)
    writer.add_uint8("golden.uint8", 200)
    writer.add_int8("golden.int8", -100)
    writer.add_uint16("golden.uint16", 60000)
    writer.add_int16("golden.int16", -30000)
    writer.add_uint32("golden.uint32", 4000000000)
    writer.add_int32("golden.int32", -2000000000)
    writer.add_uint64("golden.uint64", 2**64 - 1)
    writer.add_int64("golden.int64", -2**62)
    writer.add_float32("golden.float32", 0.15625)
    writer.add_float64("golden.float64", 0.1)
    writer.add_array("golden.texts", ["one", "", "three"])
    writer.add_array("golden.ints", [-1, 0, 7])
    writer.add_array("golden.floats", [0.5, -2.0])


def encoded_tensors(generator, values):
    """(name, stored bytes or array, type or None, decoded)"""
    for kind in ENCODED:
        stored = gguf.quants.quantize(values, kind)
        yield kind.name, stored, kind, gguf.quants.dequantize(stored, kind)
    for kind in DECODED_ONLY:
        stored = random_blocks(generator, kind)
        yield kind.name, stored, kind, gguf.quants.dequantize(stored, kind)
    stored = gguf.quants.quantize(values, Type.BF16)
    yield "BF16", stored, Type.BF16, gguf.quants.dequantize(stored, Type.BF16)
    halves = values.astype(np.float16)
    yield "F16", halves, None, halves.astype(np.float32)
    few = values[:, :6]
    for dtype, name in ((np.float32, "F32"), (np.float64, "F64"), (np.int8, "I8"), (np.int16, "I16"),
                        (np.int32, "I32"), (np.int64, "I64")):
        stored = np.clip(few, -100, 100).astype(dtype)
        yield name, stored, None, stored.astype(np.float32)


def write(writer, path):
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder):
    generator = np.random.default_rng(20260101)
    values = hard_input(generator)
    stored, decoded = gguf.GGUFWriter(None, "golden"), gguf.GGUFWriter(None, "golden")
    add_metadata(stored)
    decoded.add_tensor("input", values)
    for name, bytes_or_array, kind, floats in encoded_tensors(generator, values):
        stored.add_tensor(name, np.ascontiguousarray(bytes_or_array), raw_dtype=kind)
        decoded.add_tensor(name, np.ascontiguousarray(floats, dtype=np.float32))
    write(stored, folder / "golden.gguf")
    write(decoded, folder / "golden_f32.gguf")
    arrays = {np.dtype(kind).name: np.arange(6, dtype=kind).reshape(2, 3) for kind in
              (np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8)}
    arrays["bool"] = np.array([True, False])
    arrays["scalar"] = np.array(2.5, dtype=np.float32)
    arrays["empty"] = np.zeros((0, 4), dtype=np.float32)
    safetensors.numpy.save_file(arrays, folder / "golden.safetensors", {"made_by": "safetensors"})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
