"""Cargo: build, list and run tests, with counts that do not rest on what a runner says of itself."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from services import ROOT, TARGET


@dataclass(frozen=True)
class Test:
    package: str
    binary: str  # path of the executable
    folder: str  # folder of the package
    name: str
    ignored: bool


@dataclass
class Result:
    passed: int = 0
    failed: int = 0

    def __add__(self, other):
        return Result(self.passed + other.passed, self.failed + other.failed)


def call(command, env=None, cwd=ROOT, capture=None, timeout=None):
    """Runs a command to its end; gives its status and output. When we are stopped, so is it.

    `capture`: None prints everything, "stdout" keeps standard output, "all" both streams.
    The status is None when `timeout` seconds were not enough.
    """
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **(env or {})}, text=True, errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture == "all" else None,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output or ""
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return None, output or ""
    except BaseException:
        end(process)
        raise


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def has_nextest():
    return shutil.which("cargo-nextest") is not None


def build_tests(arguments, env=None, cwd=ROOT):
    """Builds test executables (`cargo test … --no-run`) and lists their tests; None on failure."""
    command = ["cargo", "test", *arguments, "--no-run", "--message-format=json-render-diagnostics"]
    status, output = call(command, env, cwd, capture="stdout")
    if status:
        return None
    tests = []
    for line in output.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") == "compiler-artifact" and message["profile"]["test"]:
            folder = os.path.dirname(message["manifest_path"])
            if message.get("executable"):
                tests += list_binary(package_name(message["manifest_path"]),
                                     message["executable"], folder)
    return tests


def package_name(manifest):
    with open(manifest, encoding="utf-8") as file:
        return re.search(r'(?m)^name\s*=\s*"([^"]+)"', file.read()).group(1)


def list_binary(package, binary, folder):
    def names(*options):
        status, output = call([binary, "--list", "--format", "terse", *options], cwd=folder,
                              capture="stdout")
        if status:
            raise SystemExit(f"{binary} --list: status {status}")
        return [line[:-6] for line in output.splitlines() if line.endswith(": test")]

    ignored = set(names("--ignored"))
    return [Test(package, binary, folder, name, name in ignored) for name in names()]


def run_one(test, env, timeout=300):
    """Runs one test by itself: "passed", "failed", or another word when it did not run at all."""
    command = [test.binary, "--exact", test.name, "--nocapture"]
    status, output = call(command, env, test.folder, capture="all", timeout=timeout)
    if status is None:
        return "failed", output  # hangs
    if not re.search(r"(?m)^running 1 test$", output):
        return "absent", output
    # A test may end its whole process, then there is no summary.
    return ("passed" if status == 0 and "1 passed" in output else "failed"), output


def run_tests(tests, expression, threads, env):
    """Runs tests with the fastest runner there is; prints what fails; gives counts.

    `expression` describes the same tests as a filter of nextest, whose configuration says how many
    run at a time; `threads` says it for libtest.
    """
    if has_nextest():
        return run_nextest(expression, env)
    return run_libtest(tests, threads, env)


def run_nextest(expression, env):
    report = os.path.join(TARGET, "nextest", "default", "junit.xml")
    if os.path.exists(report):
        os.remove(report)
    call(["cargo", "nextest", "run", "--workspace", "--no-fail-fast", "-E", expression,
          "--status-level", "fail", "--final-status-level", "slow"], env)
    result = Result()
    if os.path.exists(report):
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
            result += Result(failed=1) if bad else Result(passed=1)
    return result


def run_libtest(tests, threads, env):
    result = Result()
    limit = [f"--test-threads={threads}"] if threads else []
    for binary, folder in sorted({(test.binary, test.folder) for test in tests}):
        names = [test.name for test in tests if test.binary == binary]
        extra = {"CARGO_MANIFEST_DIR": folder, **env}
        status, output = call([binary, *limit, "--show-output", "--exact", *names], extra, folder, capture="all")
        print(shown(output), end="", flush=True)
        result += summary(output)
        if status and "test result: FAILED" not in output:
            print(f"{binary} ended with status {status}")
            result += Result(failed=1)
    return result


def shown(output):
    """What libtest printed with `--show-output`, of tests that passed only what those of `nodes` say."""
    head, mark, rest = output.partition("\nsuccesses:\n")
    said, _, rest = rest.partition(mark)
    blocks = re.split(r"(?m)^(?=---- \S+ stdout ----$)", said)
    kept = "".join(block for block in blocks if block.startswith("---- nodes::"))
    # The names of those that passed follow; they stand above.
    return head + (mark + kept if kept else "") + re.sub(r"\A(    \S+\n)*", "", rest)


def summary(output):
    """Counts of all summary lines of libtest; what was ignored counts as failed."""
    result = Result()
    for line in re.findall(r"(?m)^test result: .*$", output):
        count = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}
        result += Result(count["passed"], count["failed"] + count["ignored"])
    return result


class Clock:
    def __init__(self):
        self.start = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.start
