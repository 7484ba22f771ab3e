"""The long form of the crash tests: `make crash-test`.

python -m crashes [--kills 20] [--minutes 30] [--seed 1] [--only finetune]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crashes.killing import killer
from crashes.scenarios import scenarios
from crashes.surviving import survive, write_toy


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=20, help="kills of each scenario")
    parser.add_argument(
        "--minutes",
        type=float,
        default=30,
        help="time limit, but at least one kill of each",
    )
    parser.add_argument("--seed", type=int, help="random seed, to repeat the same kills")
    parser.add_argument("--only", help="run only this scenario")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}, starting TensorFlow ...", flush=True)
    start, total = time.monotonic(), 0
    with (
        tempfile.TemporaryDirectory() as name,
        killer(Path(name)) as fork_server,
        scenarios() as all_,
    ):
        toy = write_toy(Path(name, "toy"))
        wanted = [s for s in all_ if options.only in (None, s.name)]
        if not wanted:
            raise SystemExit(f"--only is one of {', '.join(s.name for s in all_)}")
        for order, scenario in enumerate(wanted):
            end = start + 60 * options.minutes * (order + 1) / len(wanted)

            def is_over(end: float = end) -> bool:
                return time.monotonic() > end

            print(f"{order + 1} of {len(wanted)}, {scenario.name} ...", flush=True)
            report = survive(
                scenario,
                fork_server,
                Path(name, scenario.name.replace(" ", "-")),
                toy,
                options.kills,
                random.Random(f"{seed} {scenario.name}"),
                is_over,
            )
            total += report.kills
            print(report, flush=True)
    print(
        f"{total} kills in {(time.monotonic() - start) / 60:.1f} minutes, no data lost", flush=True
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
