"""Checks the dependencies: their licenses, and known vulnerabilities (pip-audit).

    .venv/bin/python .ci/audit.py

Fails if a package that this project needs, directly or indirectly, has a license outside ALLOWED.
Vulnerabilities are only reported: one published today must not fail yesterday's checkout. Without a
network that part is skipped, with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata

TIMEOUT = 90  # seconds for pip-audit
ROOT = "gpt2-helpers"
NOT_NEEDED = {"test"}  # extras that users do not install

# Permissive licenses, by the names that packages use in their metadata.
ALLOWED = re.compile(
    r"\b(apache|mit|bsd|[0-3]-?clause|0bsd|python software foundation|psf(-2\.0)?|isc|zlib|"
    r"unlicense|cc0(-1\.0)?|mpl(-2\.0)?|mozilla|hpnd|public domain)\b",
    re.IGNORECASE,
)


def dependencies() -> set[str]:
    """All installed packages that the project needs, directly or indirectly."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    extras = set(metadata.metadata(ROOT).get_all("Provides-Extra") or ()) - NOT_NEEDED
    pending = [(ROOT, extra) for extra in ("", *sorted(extras))]
    visited: set[tuple[str, str]] = set()
    while pending:
        name, extra = pending.pop()
        if (name, extra) in visited:
            continue
        visited.add((name, extra))
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # needed on another platform only
        found.add(name)
        for line in requires:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                pending += [(requirement.name, more) for more in ("", *requirement.extras)]
    return found - {ROOT}


def license_of(name: str) -> str:
    """The license of an installed package, in one line, or "unknown"."""
    about = metadata.metadata(name)
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    candidates = [about.get("License-Expression"), *classifiers, about.get("License")]
    for path in metadata.files(name) or []:
        if path.name == "LICENSE":
            candidates += filter(ALLOWED.search, path.read_text().splitlines())
    return next((text.strip().split("\n")[0] for text in candidates if text), "unknown")


def check_licenses() -> list[str]:
    """Print a summary and return the packages whose license is not allowed."""
    licenses = {name: license_of(name) for name in sorted(dependencies())}
    refused = [f"{name}: {text}" for name, text in licenses.items() if not ALLOWED.search(text)]
    print(f"licenses: {len(licenses) - len(refused)} of {len(licenses)} packages allowed")
    return refused


def report_vulnerabilities() -> None:
    """Print the known vulnerabilities of the packages in this environment."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--skip-editable"]
    command += ["--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"vulnerabilities: skipped, no answer within {TIMEOUT} s")
        return
    except (ValueError, KeyError):
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].strip()[:200] if lines else f"exit code {done.returncode}"
        print(f"vulnerabilities: skipped, pip-audit failed ({reason})")
        return
    found = [
        f"{package['name']} {package['version']}: {each['id']}"
        + (f", fixed in {each['fix_versions'][0]}" if each["fix_versions"] else "")
        for package in packages
        for each in package.get("vulns", [])
    ]
    print(f"vulnerabilities: {len(found)} in {len(packages)} packages")
    for line in found:
        print(f"  {line}")


def main() -> int:
    refused = check_licenses()
    for line in refused:
        print(f"  {line}: not in ALLOWED of .ci/audit.py")
    report_vulnerabilities()
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
