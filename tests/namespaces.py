"""A PID namespace in place of a container: what runs in it is PID 1, for which the kernel has no default actions."""

import subprocess

import psutil

from tests.waiting import wait_until

AS_PID_1 = ("/usr/bin/unshare", "--pid", "--fork", "--mount-proc")


def are_allowed() -> bool:
    """Tell if one can be made: only root may."""
    try:
        return subprocess.run([*AS_PID_1, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def first_process(unshare: "subprocess.Popen[bytes]") -> psutil.Process:
    """Return PID 1. When it ends the kernel ends all others, and `unshare` exits with its code."""
    outer = psutil.Process(unshare.pid)
    wait_until(outer.children, "the namespace has a process")
    return outer.children()[0]
