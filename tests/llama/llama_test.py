#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Codes of Gemma 3 270M as llama.cpp reads them: llama_test.py FOLDER_OF_PROGRAMS   (make llama-test)

Each row of ROWS packs the model, writes its codes to a GGUF and the values that they stand for to another one in F32.
ggml decodes the first to the second, bit for bit (n matrices in blocks, and in F32 those with a scale that their type
has not); llama.cpp computes the same loss from the second as we do from the codes; and from the first it computes what
rounding inputs to 8 bits leaves of that, which is its own doing and printed.
"""
import ctypes
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np

TEXT = "In the beginning God created the heaven and the earth. And the earth was without form, and void;"
IDS = [2, 902, 506, 6534, 3803, 4464, 506, 20808, 532, 506, 7764, 236761, 1452, 506, 7764, 691, 2180, 1183, 236764, 532,
       2325, 236793]
# Options of export, and the types that the codes are to be in. The model's rows have 640, 1024 and 2048 numbers.
ROWS = [(("int4", "affine", 32), {"Q4_1"}), (("int4", "affine", 128), {"Q4_1"}), (("int4", "linear", 32), {"Q5_0"}),
        (("int2", "linear", 64), {"Q4_0"}), (("int1", "linear", 128), {"Q1_0"}), (("ternary", "linear", 64), {"Q2_0"}),
        (("ternary", "linear", 256), {"Q2_0", "TQ1_0"}), (("int7", "linear", 32), {"Q8_0"}),
        (("mxfp4", "linear", 32), {"MXFP4"})]
# Shares of a loss, which is large where weights are rounded to one bit without training.
OURS = 1e-3       # Other orders of sums, and llama.cpp's own tables.
BY_INPUTS = 0.05  # What rounding inputs to 8 bits may make of the same weights.


class Failure(Exception):
    pass


def expect(holds, what):
    if not holds:
        raise Failure(what)


class Ridgeline:
    def __init__(self, programs):
        self.program = pathlib.Path(programs) / "ridgeline"

    def call(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        expect(done.returncode == 0, f"ridgeline {' '.join(map(str, arguments))}: {done.stderr}")
        return done

    def run(self, *arguments):
        return self.call(*arguments).stdout

    def packed(self, row, out):
        weights, scheme, block = row
        own_block = [] if weights.startswith("mx") else ["--block", block]
        self.run("export", "--model", "gemma3-270m", "--format", "packed", "--weight-format", weights, "--scheme",
                 scheme, *own_block, "--out", out)

    def to_gguf(self, packed, out, *dtype):
        """How many matrices export says that it wrote the codes of, and how many of them as F32 for their scales."""
        done = self.call("export", "--model", packed, "--format", "gguf", "--metadata-from", "gemma3-270m", "--out",
                         out, *dtype)
        said = re.search(r"codes of (\d+) matrices", done.stdout)
        return int(said[1]) if said else 0, done.stderr.count("stored as F32")

    def loss(self, packed, text):
        return json.loads(self.run("eval", "--model", packed, "--text", text, "-o", "json"))["loss"]


class InitParams(ctypes.Structure):
    """gguf_init_params."""
    _fields_ = [("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p)]


def load_ggml():
    ggml = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    pointer, number, index = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
    for name, result, arguments in (("gguf_init_from_file", pointer, (ctypes.c_char_p, InitParams)),
                                    ("gguf_free", None, (pointer,)), ("gguf_get_n_tensors", index, (pointer,)),
                                    ("gguf_get_data_offset", ctypes.c_size_t, (pointer,)),
                                    ("gguf_get_tensor_name", ctypes.c_char_p, (pointer, index)),
                                    ("gguf_get_tensor_type", number, (pointer, index)),
                                    ("gguf_get_tensor_offset", ctypes.c_size_t, (pointer, index)),
                                    ("gguf_get_tensor_size", ctypes.c_size_t, (pointer, index)),
                                    ("ggml_type_name", ctypes.c_char_p, (number,)),
                                    ("ggml_blck_size", index, (number,)),
                                    ("ggml_type_size", ctypes.c_size_t, (number,))):
        function = getattr(ggml, name)
        function.restype, function.argtypes = result, arguments
    return ggml


def tensors_of(path, ggml):
    """{name: (type, bytes, numbers)} as ggml itself reads the file: packages in Python know fewer types."""
    file = ggml.gguf_init_from_file(str(path).encode(), InitParams(True, None))
    expect(file, f"ggml cannot read {path}")
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=ggml.gguf_get_data_offset(file))
    tensors = {}
    for i in range(ggml.gguf_get_n_tensors(file)):
        kind, begin = ggml.gguf_get_tensor_type(file, i), ggml.gguf_get_tensor_offset(file, i)
        size = ggml.gguf_get_tensor_size(file, i)
        tensors[ggml.gguf_get_tensor_name(file, i).decode()] = (
            ggml.ggml_type_name(kind).decode(), data[begin:begin + size],
            size // ggml.ggml_type_size(kind) * ggml.ggml_blck_size(kind))
    ggml.gguf_free(file)
    return tensors


def decoded(tensor, ggml):
    kind, data, count = tensor
    data = np.ascontiguousarray(data)
    if kind == "f32":
        return data.view(np.float32)
    if kind == "bf16":
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    floats = np.empty(count, dtype=np.float32)
    getattr(ggml, "dequantize_row_" + kind)(ctypes.c_void_p(data.ctypes.data), ctypes.c_void_p(floats.ctypes.data),
                                            ctypes.c_int64(count))
    return floats


def check_blocks(codes, values, types):
    """Every tensor decodes to the values, bit for bit but for the sign of a zero. Returns how many are in blocks."""
    ggml = load_ggml()
    expected = tensors_of(values, ggml)
    found, count = set(), 0
    for name, tensor in tensors_of(codes, ggml).items():
        same = (decoded(tensor, ggml) + np.float32(0)).view(np.uint32) == \
            (decoded(expected[name], ggml) + np.float32(0)).view(np.uint32)
        expect(same.all(), f"{name}: {int((~same).sum())} of {same.size} numbers are others")
        if tensor[0] not in ("f32", "bf16"):
            found.add(tensor[0].upper())
            count += 1
    expect(found == types, f"the codes are in {found}, and not in {types}")
    return count


def log_probabilities(path):
    """(tokens, vocabulary) of llama.cpp, with keys and values in F32."""
    model = llama_cpp.Llama(model_path=str(path), n_ctx=64, logits_all=True, type_k=0, type_v=0, n_threads=2,
                            n_threads_batch=2, verbose=False)
    ids = model.tokenize(TEXT.encode(), add_bos=True)
    expect(ids == IDS, f"llama.cpp cuts the text into {ids}")
    model.eval(ids)
    logits = np.array(model.scores[:len(ids)], dtype=np.float64)
    model.close()
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def loss_of(log_p):
    return float(-log_p[np.arange(len(IDS) - 1), IDS[1:]].mean())


def check(row, types, ridgeline, folder):
    packed, codes, values = folder / "packed", folder / "codes.gguf", folder / "values.gguf"
    ridgeline.packed(row, packed)
    matrices, as_floats = ridgeline.to_gguf(packed, codes)
    ridgeline.to_gguf(packed, values, "--dtype", "f32")
    in_blocks = check_blocks(codes, values, types)
    (folder / "text.txt").write_text(TEXT)
    ours, of_values, of_codes = ridgeline.loss(packed, folder / "text.txt"), log_probabilities(values), \
        log_probabilities(codes)
    agree = int((of_values.argmax(-1) == of_codes.argmax(-1)).sum())
    print(f"{' '.join(map(str, row)):20} {'+'.join(sorted(types)):10} {in_blocks:4} {as_floats:3} "
          f"{codes.stat().st_size / 1e6:8.1f} {ours:9.5f} {loss_of(of_values):9.5f} {loss_of(of_codes):9.5f} "
          f"{np.abs(of_values - of_codes).max():8.3f} {agree:3}/{len(IDS)}", flush=True)
    expect(in_blocks > 0 and in_blocks + as_floats == matrices,
           f"{in_blocks} matrices are in blocks, and export says {matrices}, {as_floats} of them F32")
    expect(abs(ours - loss_of(of_values)) < OURS * ours, "llama.cpp computes another loss from the same numbers")
    expect(abs(loss_of(of_values) - loss_of(of_codes)) < BY_INPUTS * ours, "8-bit inputs change the loss by too much")


def main(programs):
    print(f"llama-cpp-python {llama_cpp.__version__}, {len(IDS)} tokens; losses in nats: ours from codes, llama.cpp's "
          "from the same values in F32, and from codes; the largest difference of log-probabilities between these two, "
          "and how often their first choice is one")
    print(f"{'weights':20} {'types':10} {'n':>4} {'F32':>3} {'MB':>8} {'ours':>9} {'values':>9} "
          f"{'codes':>9} {'dlogp':>8} argmax")
    failed = 0
    for row, types in ROWS:
        with tempfile.TemporaryDirectory(prefix="ridgeline-llama-") as folder:
            try:
                check(row, types, Ridgeline(programs), pathlib.Path(folder))
            except Failure as failure:
                failed += 1
                print(f"{' '.join(map(str, row))}: FAILED: {failure}", file=sys.stderr)
    print("llama_test: " + (f"{failed} of {len(ROWS)} rows failed" if failed else f"all {len(ROWS)} rows hold"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
