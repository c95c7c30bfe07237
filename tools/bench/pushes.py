"""Push a small service with the shape of our Procfile to a plain server: at once, in a row, and killed.

Of two pushes at once the accepted one serves and is main, and the other one is told before it is built. Of many in a
row each goes live; so no living process is taken for dead. When the hook of a push is killed at any of its lines, what
serves after `receive resume` is the live release and main.
Run: .venv/bin/python -m tools.bench.pushes [--pairs 50] [--deploys 200] [--every 1]
"""

import argparse
import os
import subprocess
import sys
from dataclasses import replace

from tests.live.plain_site import GIT, SMALL, PlainSite, plain_site

MOVED = "main is no longer what you saw"
KILL_AT = "BENCH_KILL_AT"  # a variable
# In `receive`: writes down each line of plain_server that runs, the first time it does, and is killed at one of them.
TRACE = """
import os
seen = set()
def trace(frame, event, argument):
    file = frame.f_code.co_filename
    if "/plain_server/" not in file or not frame.f_code.co_flags & 1:  # 1: of a function, not of a module or class
        return None
    line = file.rpartition("/")[2] + ":" + str(frame.f_lineno)
    if event == "line" and line not in seen:
        seen.add(line)
        print(line, file=open("LINES", "a"))
        if line == os.environ.get("KILL_AT"):
            os.kill(os.getpid(), 9)
    return trace
sys.settrace(trace)
""".replace("KILL_AT", KILL_AT)


def clone(site: PlainSite) -> PlainSite:
    folder = site.checkout.with_name("other")
    subprocess.run([*GIT, "clone", "--quiet", "--origin", "production", site.place.repository, folder], check=True)
    return replace(site, checkout=folder)


def main_of(site: PlainSite) -> str:
    return site.git("ls-remote", "production", "main").stdout[:40]


def serves(site: PlainSite, commit: str) -> bool:
    """Tell whether a commit is all that answers, is recorded as live, and is main."""
    [live] = [release for release in site.releases() if release["current"]]
    alone = {("web", live["version"]), ("worker", live["version"])} == site.running()
    answers = {site.browser().get("/").data.decode() for _ in range(4)}
    return alone and answers == {commit} == {live["commit"], main_of(site)}


def take_over(site: PlainSite) -> None:
    """Move the clone to main, which is not there before the first push."""
    site.git("fetch", "--quiet", "production")
    site.git("reset", "--quiet", "--hard", "production/main", check=False)


def pair(one: PlainSite, other: PlainSite, number: int) -> bool:
    """Push from both at once, on top of the same main."""
    commits = {}
    for name, site in {"one": one, "other": other}.items():
        take_over(site)
        commits[name] = site.commit({"who.txt": f"{name} {number}"})
    with one.pushing() as first, other.pushing() as second:
        said = {"one": first.end(), "other": second.end()}
    accepted = [name for name, (code, _) in said.items() if code == 0]
    if len(accepted) != 1 or not serves(one, commits[accepted[0]]):
        print(said)
        return False
    [refusal] = [words for code, words in said.values() if code != 0]
    return MOVED in refusal and "Building" not in refusal


def deploy(site: PlainSite, number: int) -> bool:
    take_over(site)
    commit = site.commit({"who.txt": f"deploy {number}"})
    pushed = site.push()
    is_right = pushed.returncode == 0 and serves(site, commit)
    if not is_right:
        print(pushed.stderr)
    return is_right


def lines_of_a_push(site: PlainSite) -> list[str]:
    """Return the lines of plain_server that a push runs, in their order."""
    lines = site.place.root / "lines"
    receive = site.place.root / "bin/receive"
    trace = TRACE.replace("LINES", str(lines))
    receive.write_text(receive.read_text().replace("from plain_server", f"{trace}from plain_server", 1))
    deploy(site, 0)
    return lines.read_text().split()


def killed(site: PlainSite, line: str) -> bool:
    """Kill the hook when it comes to a line, then let `resume` put right what it left."""
    take_over(site)
    before, commit = main_of(site), site.commit({"who.txt": f"killed at {line}"})
    os.environ[KILL_AT] = line
    pushed = site.push()
    del os.environ[KILL_AT]
    resumed, now = site.receive("resume"), main_of(site)
    is_right = resumed.returncode == 0 and (now == commit or (pushed.returncode != 0 and now == before))
    if not is_right or not serves(site, now):
        print(line, pushed.stderr, resumed.stderr, before, commit, now, site.running(), site.releases()[:2])
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.pushes", description=__doc__)
    parser.add_argument("--pairs", type=int, default=50, help="of pushes at once (50)")
    parser.add_argument("--deploys", type=int, default=200, help="in a row (200)")
    parser.add_argument("--every", type=int, default=1, help="which of the hook's lines it is killed at (1: each)")
    options = parser.parse_args()
    with plain_site({}, SMALL) as site:
        deploy(site, 0)
        other = clone(site)
        is_right = [
            told("pairs of pushes at once", [pair(site, other, number) for number in range(options.pairs)]),
            told("deploys in a row", [deploy(site, number) for number in range(options.deploys)]),
            told("killed, each at a line", [killed(site, line) for line in lines_of_a_push(site)[:: options.every]]),
        ]
    return 0 if all(is_right) else 1


def told(what: str, each: list[bool]) -> bool:
    print(f"{what:24} {len(each):5}   as they have to be {sum(each):5}", flush=True)
    return all(each)


if __name__ == "__main__":
    sys.exit(main())
