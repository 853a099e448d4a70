# SPDX-License-Identifier: Apache-2.0
"""What a benchmark says about the machine it ran on, and whether anything else was running there."""

import os
import platform
import time

# The instruction sets that decide how fast kernels are, as bench/report.cc lists them.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_vpopcntdq", "avx512_bf16", "amx_int8", "amx_bf16")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_info(key: str) -> str:
    """The value of the first "key : value" line of /proc/cpuinfo."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "unknown")


def description() -> dict:
    flags = cpu_info("flags").split()
    return {"cpu": cpu_info("model name"), "features": [name for name in FEATURES if name in flags],
            "cores": os.cpu_count(), "kernel": platform.release(), "load_average": os.getloadavg()}


def cpu_seconds() -> tuple[float, float]:
    """Since boot, over all cores: seconds in which something ran, and seconds that the hypervisor took (steal)."""
    with open("/proc/stat", encoding="utf-8") as lines:
        user, nice, system, _, _, irq, softirq, steal = (int(ticks) for ticks in lines.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND, steal / TICKS_PER_SECOND


class Interference:
    """The share of the machine that others had since the object was made: other processes, and steal."""

    def __init__(self) -> None:
        self.begin, self.busy, self.steal = time.monotonic(), *cpu_seconds()

    def share(self, own_cpu_seconds: float) -> float:
        busy, steal = cpu_seconds()
        others = max(0.0, busy - self.busy - own_cpu_seconds) + steal - self.steal
        return others / ((time.monotonic() - self.begin) * (os.cpu_count() or 1))


def idle_share_of_others(seconds: float = 3.0) -> float:
    watch = Interference()
    time.sleep(seconds)
    return watch.share(0.0)
