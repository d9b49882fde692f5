"""What the tests need besides the program: PostgreSQL, Redis, chromedriver, relying parties.

`Services` is a context manager. It installs what is missing where that is permitted, starts
private instances on 127.0.0.1, gives their addresses as environment variables, and stops by
process id what it started, whatever happens.
"""

import ctypes
import glob
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
TARGET = os.path.realpath(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")))
LIMIT = 60  # seconds a service may take to answer

POLICY = "/usr/sbin/policy-rc.d"
CLUSTERS = "/etc/postgresql-common/createcluster.conf"


class Missing(Exception):
    """Something the tests need cannot be had. The text is one line for the person."""


# ---------------------------------------------------------------- tools


def postgres_bin():
    """Folder of the newest PostgreSQL server programs, or None."""
    folders = sorted(
        glob.glob("/usr/lib/postgresql/*/bin"),
        key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0,
        reverse=True,
    )
    folders += os.environ.get("PATH", "").split(":")
    for folder in folders:
        if all(os.access(os.path.join(folder, name), os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


TOOLS = {
    "PostgreSQL": (postgres_bin, "postgresql"),
    "redis-server": (lambda: shutil.which("redis-server"), "redis-server"),
    "Chromium": (lambda: shutil.which("chromium"), "chromium"),
    "chromedriver": (lambda: shutil.which("chromedriver"), "chromium-driver"),
    "Node.js": (lambda: shutil.which("node"), "nodejs"),
    "npm": (lambda: shutil.which("npm"), "npm"),
    "Python's venv": (
        lambda: quiet([sys.executable, "-c", "import ensurepip, venv"]), "python3-venv",
    ),
}


def ensure_tools():
    missing = [name for name, (find, _) in TOOLS.items() if not find()]
    if missing:
        install(missing, [TOOLS[name][1] for name in missing])
    still = [name for name, (find, _) in TOOLS.items() if not find()]
    if still:
        raise Missing(f"{', '.join(still)}: still missing after the installation")
    version = subprocess.run(
        [os.path.join(postgres_bin(), "postgres"), "--version"], capture_output=True, text=True
    ).stdout
    major = re.search(r"\b(\d+)(\.|devel|beta|rc)", version)
    if not major or int(major.group(1)) < 15:
        raise Missing(f"PostgreSQL 15 or newer is needed, found: {version.strip()}")


def install(names, packages):
    """Installs Debian packages without letting them start a service."""
    what = f"{', '.join(names)} missing"
    how = f"install {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise Missing(f"{what} and there is no apt-get: {how} by hand")
    if os.geteuid() == 0:
        sudo = []
    elif shutil.which("sudo") and quiet(["sudo", "-n", "true"]):
        sudo = ["sudo", "-n"]
    else:
        raise Missing(f"{what}, and installing needs root or passwordless sudo: {how} by hand")
    print(f"installing {' '.join(packages)}", flush=True)
    apt = sudo + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    policy = not os.path.exists(POLICY)
    try:
        if policy:
            script = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}"
            subprocess.run(sudo + ["sh", "-c", script], check=True)
        logged(apt + ["update"], what)
        if "postgresql" in packages and not os.path.exists(CLUSTERS):
            # Before the server comes: no cluster "main" that would start at every boot.
            logged(apt + ["install", "--no-install-recommends", "postgresql-common"], what)
            line = f"echo 'create_main_cluster = false' >> {CLUSTERS}"
            subprocess.run(sudo + ["sh", "-c", line], check=True)
        logged(apt + ["install", "--no-install-recommends"] + packages, what)
    finally:
        if policy:
            subprocess.run(sudo + ["rm", "-f", POLICY], check=False)


def logged(command, what):
    os.makedirs(TARGET, exist_ok=True)
    path = os.path.join(TARGET, "test-install.log")
    with open(path, "a", encoding="utf-8") as log:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if done.returncode:
        raise Missing(f"{what} and apt-get failed, see {path}")


def quiet(command):
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


# ---------------------------------------------------------------- services


class Reserved:
    """A free port of 127.0.0.1 that nobody else is given while it is held."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]


class Services:
    def __init__(self):
        self.processes = []
        self.ports = []
        self.folder = None
        self.run = uuid.uuid4().hex
        self.env = {}

    def __enter__(self):
        ensure_tools()
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.folder = make_folder()
        scratch = os.path.join(self.folder, "t")
        os.mkdir(scratch)
        os.chmod(scratch, 0o711)
        self.env = {"SIGNET_TEST_RUN": self.run, "SIGNET_TEST_DIR": scratch}
        database = self.start_postgres()
        redis = self.start_redis()
        driver = self.start_chromedriver()
        for wait in (database, redis, driver):
            wait()

    def start_postgres(self):
        programs, owner = postgres_bin(), postgres_owner()
        home = os.path.join(self.folder, "pg")
        os.mkdir(home)
        os.chmod(home, 0o755)
        password = secrets.token_hex(16)
        password_file = os.path.join(home, "password")
        with open(password_file, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(password)
        if owner:
            for path in (home, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            self.env["SIGNET_TEST_PG_UID"] = str(owner.pw_uid)
            self.env["SIGNET_TEST_PG_GID"] = str(owner.pw_gid)
        data = os.path.join(home, "data")
        made = subprocess.run(
            [os.path.join(programs, "initdb"), "--username=signet", "--auth=scram-sha-256"]
            + [f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "--no-sync", data],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=home, **as_user(owner),
        )
        if made.returncode:
            raise Missing(f"initdb failed: {made.stderr.strip().splitlines()[-1:]}")
        port = self.port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": home,
            "max_connections": 400,
            "shared_buffers": "128MB",
            # Dropping a schema locks all of its tables at once.
            "max_locks_per_transaction": 256,
            # What must survive a crash is tested on servers of the tests' own.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        arguments = [f"-c{name}={value}" for name, value in settings.items()]
        command = [os.path.join(programs, "postgres"), "-D", data] + arguments
        log = self.spawn("postgres", command, signal.SIGINT, owner, home)
        self.env["SIGNET_TEST_PG_BIN"] = programs
        self.env["SIGNET_TEST_DATABASE_URL"] = (
            f"postgres://signet:{password}@127.0.0.1:{port}/postgres"
        )
        return lambda: self.wait("postgres", lambda: "ready to accept connections" in read(log))

    def start_redis(self):
        port = self.port()
        home = os.path.join(self.folder, "redis")
        os.mkdir(home)
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
        command += ["--save", "", "--appendonly", "no", "--dir", home]
        self.spawn("redis", command, signal.SIGTERM, None, home)
        self.env["SIGNET_TEST_REDIS_URL"] = f"redis://127.0.0.1:{port}/"

        def answers():
            with socket.create_connection(("127.0.0.1", port), 5) as stream:
                stream.sendall(b"PING\r\n")
                return stream.recv(7) == b"+PONG\r\n"

        return lambda: self.wait("redis", answers)

    def start_chromedriver(self):
        port = self.port()
        command = [shutil.which("chromedriver"), f"--port={port}"]
        self.spawn("chromedriver", command, signal.SIGTERM, None, self.folder)
        url = f"http://127.0.0.1:{port}"
        self.env["SIGNET_TEST_CHROMEDRIVER"] = url

        def answers():
            with urllib.request.urlopen(f"{url}/status", timeout=5) as answer:
                return b'"ready":true' in answer.read()

        return lambda: self.wait("chromedriver", answers)

    def port(self):
        reserved = Reserved()
        self.ports.append(reserved)
        return reserved.number

    def spawn(self, name, command, stop, owner, home):
        path = os.path.join(self.folder, f"{name}.log")
        with open(path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home,
                start_new_session=True, preexec_fn=lambda: end_with_parent(stop),
                env=dict(os.environ, LC_ALL="C", SIGNET_TEST_RUN=self.run), **as_user(owner),
            )
        self.processes.append((name, process, stop, path))
        return path

    def wait(self, name, answers):
        process, path = next((p, path) for n, p, _, path in self.processes if n == name)
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            try:
                if answers():
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise Missing(f"{name} does not start: {read(path).strip()[-400:]}")

    def stop(self):
        with no_interruption():
            for _, process, stop, _ in reversed(self.processes):
                if process.poll() is None:
                    process.send_signal(stop)
            for name, process, _, _ in reversed(self.processes):
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    print(f"{name} does not stop, killing process {process.pid}", flush=True)
                    process.kill()
                    process.wait()
            self.processes = []
            left_behind(self.run)
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = None


def left_behind(run):
    """Kills what a test of this run has started and not stopped; gives how many."""
    mark = f"SIGNET_TEST_RUN={run}".encode()
    found = 0
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{folder}/environ", "rb") as file:
                marked = mark in file.read().split(b"\0")
            pid = int(folder.split("/")[2])
            if marked and pid != os.getpid():
                with open(f"{folder}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="replace")
                os.kill(pid, signal.SIGKILL)
                print(f"left behind, killed: process {pid}: {command[:100]}", flush=True)
                found += 1
        except (OSError, ValueError):
            continue
    return found


def make_folder():
    """A fresh folder of short path that every local user may enter; stale ones are removed."""
    first = os.path.join(TARGET, "test-services")
    os.makedirs(first, exist_ok=True)
    usable = len(first) < 60 and all_may_enter(first)
    parent, prefix = (first, "") if usable else (tempfile.gettempdir(), "signet-tests-")
    for old in glob.glob(os.path.join(parent, f"{prefix}[0-9]*-*")):
        pid = os.path.basename(old)[len(prefix):].split("-")[0]
        if os.stat(old).st_uid == os.geteuid() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(old, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent)
    os.chmod(folder, 0o711)
    return folder


def all_may_enter(path):
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def postgres_owner():
    """The user PostgreSQL runs under when we are root, else None."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("PostgreSQL does not run as root and there is no user `postgres`") from None


def as_user(owner):
    if not owner:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def end_with_parent(stop):
    """In the child: its signal to stop arrives even when this process is killed."""
    ctypes.CDLL(None, use_errno=True).prctl(1, int(stop))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class no_interruption:
    """A second Ctrl-C does not interrupt the cleaning up."""

    def __enter__(self):
        self.old = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_):
        for number, handler in self.old.items():
            signal.signal(number, handler)
