"""CPU time and memory of processes, from /proc."""

from collections.abc import Iterable
from pathlib import Path

import psutil


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes and all that they started have used, user and system."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            total += sum(member.cpu_times()[:4])  # user, system, and those of ended children
    return total


def peak_memory_mb(pid: int) -> float:
    """The most memory (RSS) that a process ever had, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) / 1024
    raise ValueError(f"/proc/{pid}/status says nothing of VmHWM")
