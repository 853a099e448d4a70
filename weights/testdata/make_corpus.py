# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzz targets of both formats: small whole files, and the lies that a reader has to find.

Usage: python make_corpus.py FOLDER   (writes folders of it: gguf, gguf_parts, safetensors and file_kind; needs nothing
but Python)
"""
import json
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value)) + value


def element(kind, value):
    return text(value) if kind == STRING else struct.pack("<" + FORMATS[kind], value)


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + element(kind, value)


def array(key, kind, values, count=None):
    head = text(key) + struct.pack("<IIQ", ARRAY, kind, len(values) if count is None else count)
    return head + b"".join(element(kind, value) for value in values)


def tensor(name, sizes, kind, offset):
    shape = struct.pack("<I", len(sizes)) + struct.pack("<%dQ" % len(sizes), *sizes)
    return text(name) + shape + struct.pack("<IQ", kind, offset)


def gguf(pairs=(), tensors=(), data=b"", version=3, alignment=32, counts=None):
    tensor_count, pair_count = counts or (len(tensors), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, pair_count) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data


def safetensors(header, data=b"", claim=None):
    header = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(header) if claim is None else claim) + header.encode() + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


EVERY_KIND = [pair("s", STRING, "x"), pair("b", BOOL, 1), pair("f", F32, 1.5), pair("g", F64, 2.5), pair("u", U32, 7),
              pair("w", U64, 2**64 - 1), pair("i", I32, -7), pair("c", U8, 1), pair("d", I8, -1), pair("h", U16, 3),
              pair("j", I16, -3), pair("l", I64, -9), array("t", STRING, ["ab", "", "c"]), array("r", F32, [0.5, 1]),
              array("q", I32, [1, -2]), array("p", BOOL, [0, 1]), array("e", U32, [])]

GGUF = {
    "every_kind": gguf(EVERY_KIND),
    "version_2": gguf(tensors=[tensor("a", [2], 0, 0)], data=bytes(8), version=2),
    "version_1": gguf(version=1),
    "big_endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "two_tensors": gguf([pair("general.alignment", U32, 8)], [tensor("a", [2, 1], 0, 0), tensor("b", [32], 8, 8)],
                        bytes(8 + 34), alignment=8),
    "q4_k": gguf(tensors=[tensor("k", [256], 12, 0)], data=bytes(range(144))),
    "few_bits": gguf(tensors=[tensor("q1", [128], 41, 0), tensor("q2", [64], 42, 32), tensor("m", [32], 39, 64),
                              tensor("t1", [256], 34, 96), tensor("t2", [256], 35, 160)], data=bytes(range(226))),
    "half_block_q1": gguf(tensors=[tensor("a", [64, 2], 41, 0)], data=bytes(18)),
    "half_block_tq1": gguf(tensors=[tensor("a", [128, 2], 34, 0)], data=bytes(54)),
    "alignment_0": gguf([pair("general.alignment", U32, 0)]),
    "alignment_24": gguf([pair("general.alignment", U32, 24)]),
    "alignment_text": gguf([pair("general.alignment", STRING, "32")]),
    "overlap": gguf(tensors=[tensor("a", [16], 0, 0), tensor("b", [16], 0, 32)], data=bytes(96)),
    "outside": gguf(tensors=[tensor("a", [4], 0, 2**63)], data=bytes(16)),
    "unaligned": gguf(tensors=[tensor("a", [1], 0, 4)], data=bytes(16)),
    "size_overflow": gguf(tensors=[tensor("a", [2**62, 8], 0, 0)]),
    "negative_size": gguf(tensors=[tensor("a", [2**64 - 1], 0, 0)]),
    "half_block": gguf(tensors=[tensor("a", [16, 2], 8, 0)], data=bytes(34)),
    "five_dimensions": gguf(tensors=[tensor("a", [1] * 5, 0, 0)], data=bytes(4)),
    "ggml_type_10": gguf(tensors=[tensor("a", [256], 10, 0)], data=bytes(84)),
    "ggml_type_99": gguf(tensors=[tensor("a", [1], 99, 0)], data=bytes(4)),
    "same_tensor": gguf(tensors=[tensor("a", [1], 0, 0), tensor("a", [1], 0, 32)], data=bytes(64)),
    "same_key": gguf([pair("k", U8, 1), pair("k", U8, 2)]),
    "nul_name": gguf(tensors=[tensor(b"a\0b", [1], 0, 0)], data=bytes(4)),
    "latin1_key": gguf([pair(b"\xe9", U8, 1)]),
    "array_in_array": gguf([text("k") + struct.pack("<IIQ", ARRAY, ARRAY, 1) + struct.pack("<IQ", U8, 0)]),
    "array_overflow": gguf([array("k", U64, [], count=2**61 + 1)]),
    "text_array_lie": gguf([array("k", STRING, ["a"], count=2**60)]),
    "unknown_kind": gguf([text("k") + struct.pack("<I", 13)]),
    "count_lie": gguf(counts=(2**63, 2**63)),
}



def part(number, count, name, tensors, pairs=()):
    whole = gguf([pair("split.no", U16, number), pair("split.count", U16, count),
                  pair("split.tensors.count", I32, tensors), *pairs], [tensor(name, [2], 0, 0)], bytes(8))
    return struct.pack("<H", len(whole)) + whole


# As gguf_parts_fuzz reads them: each file behind its length.
GGUF_PARTS = {
    "one": part(0, 1, "a", 1),
    "two": part(0, 2, "a", 2, [pair("general.architecture", STRING, "gemma3")]) + part(1, 2, "b", 2),
    "same_tensor": part(0, 2, "a", 2) + part(1, 2, "a", 2),
    "other_count": part(0, 2, "a", 2) + part(1, 3, "b", 2),
    "second_first": part(1, 2, "b", 2) + part(0, 2, "a", 2),
    "tensor_lie": part(0, 2, "a", 5) + part(1, 2, "b", 5),
}

FILE_KIND = {
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "html": b"\xef\xbb\xbf \n<!DOCTYPE html><html>",
    "answer": b'{"error":"not found"}',
    "tar": bytes([97] * 257) + b"ustar\x0000",
    "zeros": bytes(20),
    "safetensors": safetensors({}),
    "gguf": gguf(),
    "text": b"In the beginning " * 40,
}

SAFETENSORS = {
    "all_dtypes": safetensors({"__metadata__": {"format": "pt"}, "d": entry("F64", [1], 0, 8),
                               "l": entry("I64", [], 8, 16), "f": entry("F32", [1, 1], 16, 20),
                               "b": entry("BF16", [2], 20, 24), "e": entry("F16", [0], 24, 24)},
                              bytes(24)),
    "same_key": safetensors('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                            '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"),
    "nul_name": safetensors({"a\0b": entry("U8", [1], 0, 1)}, b"x"),
    "f8": safetensors({"a": entry("F8_E4M3", [1], 0, 1)}, b"x"),
    "gap": safetensors({"a": entry("U8", [1], 1, 2)}, b"xy"),
    "huge_claim": safetensors("{}", claim=2**64 - 1),
    "empty": safetensors({}),
    "good": safetensors({"__metadata__": {"step": "1"}, "a": entry("F32", [1], 0, 4),
                         "b": entry("BF16", [1, 2], 4, 8)}, bytes(8)),
    "nested": safetensors("[" * 300 + "]" * 300),
    "overflow": safetensors({"a": entry("F64", [2**62, 8], 0, 0)}),
    "overlap": safetensors({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, bytes(4)),
}

if __name__ == "__main__":
    for folder, files in (("gguf", GGUF), ("gguf_parts", GGUF_PARTS), ("safetensors", SAFETENSORS),
                          ("file_kind", FILE_KIND)):
        target = pathlib.Path(sys.argv[1], folder)
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (target / name).write_bytes(content)
