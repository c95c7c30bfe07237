"""Report known vulnerabilities of the pinned packages, as pip-audit finds them: `make audit`.

pip-audit alone is a false green: where the advisories cannot be reached, it skips every package, prints "No known
vulnerabilities found" and exits with 0. So its report is read: what was not asked is said, and never counts as good.
"""

import json
import subprocess
import sys

# By the names and versions that are pinned with hashes: nothing is resolved, downloaded or installed.
COMMAND = (
    *(sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off"),
    *("--requirement", "requirements-lint.txt", "--requirement", "requirements-check.txt"),  # which hold the others
)
NOT_CHECKED = "NOT CHECKED for known vulnerabilities"


def judge(report: str) -> tuple[str, bool]:
    """Return what to say of the packages, and whether they may pass.

    Args:
        report: pip-audit's JSON. Empty when it got no answer at all, as without a network.
    """
    if not report.strip():
        return f"{NOT_CHECKED}: the advisory database does not answer.", True
    packages = json.loads(report)["dependencies"]
    vulnerable = [
        f"  {package['name']} {package['version']}: {found['id']},"
        f" fixed in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    checked = len(packages) - len(skipped)
    if vulnerable:
        return "\n".join([f"{len(vulnerable)} known vulnerabilities", *vulnerable]), False
    if not checked:
        return f"{NOT_CHECKED}: the index has no advisories on any of {len(skipped)} packages.", True
    if skipped:
        return f"{checked} packages without a known vulnerability; {NOT_CHECKED}: {', '.join(skipped)}", False
    return f"{checked} packages, no known vulnerability", True


if __name__ == "__main__":
    done = subprocess.run(COMMAND, capture_output=True, text=True)
    if "No module named pip_audit" in done.stderr:
        sys.exit("pip-audit is not installed; run make audit.")
    said, passes = judge(done.stdout)
    print(said)
    sys.exit(0 if passes else 1)
