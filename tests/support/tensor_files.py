# SPDX-License-Identifier: Apache-2.0
"""Tensors in safetensors files and in checkpoints, where one may lie in pieces in the files of several ranks
(docs/formats.md): for tests that compare what runs leave."""
import array
import json
import operator
import struct
import sys


# safetensors' names of what runs leave, and the array module's; bfloat16 is widened to float32.
DTYPES = {"F32": "f", "I64": "q", "BF16": "H"}


def parts_of(path):
    """The tensors' entries in a file's header, by name, and the bytes that their offsets count in."""
    content = path.read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    return header, content[8 + size:]


def copy_safetensors(source, out, wants):
    """Those tensors alone whose names `wants`."""
    header, kept = parts_of(source)
    header, data = {name: entry for name, entry in header.items() if wants(name)}, b""
    for entry in header.values():
        begin, end = entry["data_offsets"]
        entry["data_offsets"] = [len(data), len(data) + end - begin]
        data += kept[begin:end]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    out.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """{name: array}, each tensor flat; one of another dtype is refused."""
    header, content = parts_of(path)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name} is {entry['dtype']}")
        begin, end = entry["data_offsets"]
        tensors[name] = array.array(DTYPES[entry["dtype"]], content[begin:end])
        if sys.byteorder == "big":
            tensors[name].byteswap()
        if entry["dtype"] == "BF16":
            tensors[name] = array.array("f", array.array("I", (bits << 16 for bits in tensors[name])).tobytes())
    return tensors


def read_checkpoint(folder):
    """{name: array} of a checkpoint, put together from its manifest's shards: [file, first row, rows]."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = [read_safetensors(folder / file["name"]) for file in manifest["files"]]
    if manifest["format"] == 1:  # One file, with whole tensors.
        return files[0]
    tensors = {}
    for name, tensor in manifest["tensors"].items():
        whole = array.array(DTYPES[tensor["dtype"]])
        for file, _, _ in tensor["shards"]:
            whole += files[file][name]
        tensors[name] = whole
    return tensors


def largest_difference(a, b):
    """(The largest difference of two numbers of the same place, as a share of its tensor's largest number; that
    tensor's name). Tensors or sizes that are not the same are an error."""
    if a.keys() != b.keys():
        raise ValueError(f"tensors differ: {sorted(a.keys() ^ b.keys())}")
    worst = (0.0, "")
    for name, values in a.items():
        if len(values) != len(b[name]):
            raise ValueError(f"{name} has {len(values)} and {len(b[name])} numbers")
        if values == b[name]:
            continue
        scale = max(max(map(abs, values)), max(map(abs, b[name])))
        worst = max(worst, (max(map(abs, map(operator.sub, values, b[name]))) / scale, name))
    return worst
