"""All benchmarks on one set of private services; the last line is all their figures as JSON."""

import json
import signal
import subprocess
import sys

from benchmarks import report, services

SCRIPTS = ("fetch", "submit", "backlog", "stragglers")
FIGURES = (
    "pages_per_s",
    "vs_celery",
    "vs_scrapy",
    "vs_bare_aiohttp",
    "cpu_s_per_1k",
    "node_memory_mb",
    "submit_rows_per_s",
    "backlog_cost_ratio",
    "straggler_ratio",
)
#: Seconds that an interrupted script has to clean up.
PATIENCE = 30.0


def main() -> int:
    """Run script after script."""
    services.require("benchmarks")
    figures: dict[str, float] = {}
    for script in SCRIPTS:
        report.say(f"benchmarks.{script}")
        code, more = run(script)
        if code:
            return code
        figures |= more
    report.result({name: figures[name] for name in FIGURES})
    return 0


def run(script: str) -> tuple[int, dict[str, float]]:
    """Show what a script says; its exit code and the figures of its last line."""
    figures: dict[str, float] = {}
    # In a group of its own, so that a Ctrl-C at the terminal reaches it once, through us.
    child = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{script}"],
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.startswith("{"):
                figures = json.loads(line)
            else:
                print(line, end="", flush=True)
        return child.wait(), figures
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child.send_signal(signal.SIGINT)
        child.wait(PATIENCE)
        return 128 + signal.SIGINT, figures
    finally:
        child.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
