"""Makes the virtual environment of the interoperability tests, once, and prints its interpreter.

    python3 environment.py FOLDER PYZMQ_VERSION

Several test programs may call this at the same moment: the first takes the lock and builds, the
others wait for it. An environment counts as finished only when its `ready` file is there, which is
written last, and only while it still imports pyzmq: one that was cut off half-way, or whose Python
was removed, is made again.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys

INSTALL_DEADLINE_SECONDS = 300


def main(folder, version):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home = os.path.join(folder, f"pyzmq-{version}")
        if not is_usable(home, version):
            build(home, version)
    print(interpreter(home))


def interpreter(home):
    return os.path.join(home, "bin", "python")


def is_usable(home, version):
    if not os.path.exists(os.path.join(home, "ready")):
        return False
    check = f"import zmq; assert zmq.__version__ == '{version}'"
    try:
        return subprocess.run([interpreter(home), "-c", check], capture_output=True).returncode == 0
    except OSError:
        return False


def build(home, version):
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            sys.exit(f"this Python has no module '{module}': install python3-venv and python3-pip")
    shutil.rmtree(home, ignore_errors=True)
    run([sys.executable, "-m", "venv", home])
    # A wheel only: compiling libzmq from a source package is not what a test run should start.
    pip = [interpreter(home), "-m", "pip", "install", "--quiet"]
    run([*pip, "--only-binary", ":all:", f"pyzmq=={version}"])
    with open(os.path.join(home, "ready"), "w") as ready:
        ready.write(version)


def run(command):
    # Standard output is where the answer goes; what the tools print belongs with the errors.
    try:
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=INSTALL_DEADLINE_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        sys.exit(f"could not install pyzmq: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
