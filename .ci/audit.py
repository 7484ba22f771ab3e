"""What this project stands on: known holes in it (pip-audit), and whether its licences allow use.

    .venv/bin/python .ci/audit.py

Licences are checked of everything that the package itself needs, and one that is not in ALLOWED
fails. Holes are only told: one that was found today must not fail a checkout of yesterday. Without
a network that is skipped, with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata

LONGEST = 90  # seconds that asking for known holes may take
ROOT = "gpt2-helpers"
EXTRAS = ("notebooks", "pretrain")

# As they stand in the packages' own descriptions: what may be used and passed on by anyone.
ALLOWED = re.compile(
    r"\b(apache|mit|bsd|[0-3]-?clause|0bsd|python software foundation|psf(-2\.0)?|isc|zlib|"
    r"unlicense|cc0(-1\.0)?|mpl(-2\.0)?|mozilla|hpnd|public domain)\b",
    re.IGNORECASE,
)


def needed() -> set[str]:
    """The packages here that the project needs, and those that they need."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [(ROOT, extra) for extra in EXTRAS]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another system
        found.add(name)
        for line in requires:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, more) for more in ("", *requirement.extras)]
    return found - {ROOT}


def licence_of(name: str) -> str:
    """What a package says of its licence, in one line."""
    about = metadata.metadata(name)
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    said = [about.get("License-Expression"), *classifiers, about.get("License")]
    for path in metadata.files(name) or []:
        if path.name == "LICENSE":
            said += filter(ALLOWED.search, path.read_text().splitlines())
    return next((text.strip().split("\n")[0] for text in said if text), "unknown")


def check_licences() -> list[str]:
    names = sorted(needed())
    wrong = [
        f"{name}: {licence_of(name)}" for name in names if not ALLOWED.search(licence_of(name))
    ]
    print(f"licences: {len(names)} packages, {len(names) - len(wrong)} of them free to use")
    return wrong


def tell_holes() -> None:
    """What is known of holes in the packages of this environment."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--skip-editable"]
    command += ["--progress-spinner", "off", "--timeout", "10"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
        packages = json.loads(ran.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"known holes: skipped, no answer within {LONGEST} s")
        return
    except (ValueError, KeyError):
        lines = [line for line in ran.stderr.splitlines() if line.strip()]
        reason = lines[-1].strip()[:200] if lines else f"pip-audit ended with {ran.returncode}"
        print(f"known holes: skipped, pip-audit could not ask for them ({reason})")
        return
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}"
        + (f", mended in {hole['fix_versions'][0]}" if hole["fix_versions"] else "")
        for package in packages
        for hole in package.get("vulns", [])
    ]
    print(f"known holes: {len(holes)} in {len(packages)} packages")
    for hole in holes:
        print(f"  {hole}")


def main() -> int:
    wrong = check_licences()
    for line in wrong:
        print(f"  {line}: not among the licences that .ci/audit.py allows")
    tell_holes()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
