"""The libraries of `tests/relying`, installed as they are published.

They lie in `target/relying`, in a folder named after the lock file's hash: a folder that is whole
needs neither network nor time.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys

from services import ROOT, TARGET, Missing

SOURCE = os.path.join(ROOT, "tests", "relying")
HOME = os.path.join(TARGET, "relying")
LIMIT = 5 * 60  # seconds an installation may take


def ensure():
    """Installs what is not there; gives the environment that the tests read."""
    os.makedirs(HOME, exist_ok=True)
    with open(os.path.join(HOME, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        node, python = node_modules(), virtual_environment()
        link = os.path.join(SOURCE, "node", "node_modules")
        if not os.path.islink(link) or os.readlink(link) != node:
            remove(link)
            os.symlink(node, link)
    return {
        "SIGNET_TEST_RELYING": SOURCE,
        "SIGNET_TEST_NODE": shutil.which("node"),
        "SIGNET_TEST_PYTHON": python,
    }


def node_modules():
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    major = re.match(r"v(\d+)\.", version)
    if not major or int(major.group(1)) < 18:
        raise Missing(f"Node.js 18 or newer is needed, found: {version or 'none that runs'}")

    def fill(folder):
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(os.path.join(SOURCE, "node", name), os.path.join(folder, name))
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        run("openid-client (npm)", ["npm", "ci", *options], folder)

    return os.path.join(installed("node", "package-lock.json", "", fill), "node_modules")


def virtual_environment():
    def fill(folder):
        run("a Python environment", [sys.executable, "-m", "venv", folder], folder)
        python = os.path.join(folder, "bin", "python")
        command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
        requirements = os.path.join(SOURCE, "python", "requirements.txt")
        options = ["--require-hashes", "--only-binary", ":all:", "-r", requirements]
        run("Authlib (PyPI)", command + options, folder)

    folder = installed("python", "requirements.txt", sys.version + sys.prefix, fill)
    return os.path.join(folder, "bin", "python")


def installed(language, lock, besides, fill):
    """The folder for this state of a lock file, filled when it is not whole; older ones go."""
    with open(os.path.join(SOURCE, language, lock), "rb") as file:
        key = hashlib.sha256(file.read() + besides.encode()).hexdigest()[:16]
    folder = os.path.join(HOME, f"{language}-{key}")
    whole = os.path.join(folder, ".whole")
    if not os.path.exists(whole):
        for name in os.listdir(HOME):
            if name.startswith(f"{language}-"):
                remove(os.path.join(HOME, name))
        os.mkdir(folder)
        fill(folder)
        with open(whole, "w", encoding="ascii"):
            pass
    return folder


def run(what, command, folder):
    path = os.path.join(TARGET, "test-install.log")
    with open(path, "a", encoding="utf-8") as log:
        try:
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=LIMIT
            ).returncode
        except subprocess.TimeoutExpired:
            done = f"no end within {LIMIT} s"
    if done:
        raise Missing(f"{what} cannot be installed ({command[0]}: {done}), see {path}")


def remove(path):
    if os.path.islink(path) or os.path.isfile(path):
        os.remove(path)
    else:
        shutil.rmtree(path, ignore_errors=True)
