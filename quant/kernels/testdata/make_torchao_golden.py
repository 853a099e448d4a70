# SPDX-License-Identifier: Apache-2.0
"""Writes torchao.txt, the fake quantization of a few tensors by the torchao package: values and gradients, bit for bit.

    pip install torch torchao==0.18.0
    python make_torchao_golden.py > torchao.txt

A case is a line `case FORMAT SCHEME BLOCK ROWS FEATURES`, where BLOCK 0 is a row, followed by three lines for each row:
the bits of x, the bits of x_hat (eight hexadecimal digits a number), and the gradient of a sum (0 or 1 a number:
the package's product of s and 1 / s is one rounding error beside 1 now and then).
"""

import torch
import torchao
from torchao.quantization.qat import IntxFakeQuantizeConfig, IntxFakeQuantizer

FEATURES = 64


def rows_of_interest() -> torch.Tensor:
    """(ROWS, FEATURES): Gaussian, shifted, one-sided, on the grid's ties, and at the ends of float32."""
    torch.manual_seed(20)
    normal = torch.randn(9, FEATURES)
    normal[1] += 3
    normal[2] = -normal[2].abs()
    normal[3] = torch.arange(FEATURES) / 2 - 8
    normal[4] = torch.tensor([-7.5, 7.5, 0.5, -0.5] * (FEATURES // 4))
    normal[5] *= 1e-41
    normal[6] *= 1e29
    normal[7] = 0
    normal[8] = 2.5
    return normal


def fake_quantize(x: torch.Tensor, dtype, scheme: str, block: int):
    if scheme == "linear":
        config = IntxFakeQuantizeConfig(dtype=dtype, group_size=block, is_symmetric=True)
    else:
        eps = torch.finfo(torch.float32).eps
        config = IntxFakeQuantizeConfig(dtype=dtype, granularity="per_token", is_symmetric=False, eps=eps)
    leaf = x.clone().requires_grad_(True)
    x_hat = IntxFakeQuantizer(config)(leaf)
    x_hat.sum().backward()
    return x_hat.detach(), leaf.grad


def bits(row: torch.Tensor) -> str:
    return " ".join(f"{value & 0xFFFFFFFF:08x}" for value in row.view(torch.int32).tolist())


def main() -> None:
    x = rows_of_interest()
    print(f"# torchao {torchao.__version__}, torch {torch.__version__.split('+')[0]}")
    for name, dtype, scheme, block in [
        ("int4", torch.int4, "linear", 32),
        ("int2", torch.int2, "linear", 16),
        ("int8", torch.int8, "linear", 64),
        ("int8", torch.int8, "affine", 0),
    ]:
        x_hat, gradient = fake_quantize(x, dtype, scheme, block)
        print(f"case {name} {scheme} {block} {x.shape[0]} {FEATURES}")
        for row in range(x.shape[0]):
            print(bits(x[row]))
            print(bits(x_hat[row]))
            print(" ".join(str(round(value)) for value in gradient[row].tolist()))


if __name__ == "__main__":
    main()
