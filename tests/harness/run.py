"""The whole suite, in parts with time and counts. `tests/run --help` says how to call it."""

import argparse
import json
import os
import signal
import sys

import mutations
import relying
from cargo import Clock, Result, build_tests, call, run_tests, summary
from services import ROOT, TARGET, Missing, Services

SLOW = 8 * 60  # seconds; a part above this is named in a warning

# A part: which tests are in it, the same as a filter of nextest, and how many run at a time where
# nextest is not there to know (None: as many as there are cores). Every test is in one part.
SPECIAL = ("browser", "faults")
APART = ("signet-storage", "signet-tests")
PARTS = {
    "unit": (
        lambda t: t.package not in APART,
        "!package(=signet-storage) & !package(=signet-tests)",
        None,
    ),
    "storage": (lambda t: t.package == "signet-storage", "package(=signet-storage)", None),
    "it: http": (
        lambda t: t.package == "signet-tests" and t.name.split("::")[0] not in SPECIAL,
        "package(=signet-tests) & !test(/^(browser|faults)::/)",
        None,
    ),
    "it: browser": (
        lambda t: t.package == "signet-tests" and t.name.startswith("browser::"),
        "package(=signet-tests) & test(/^browser::/)",
        2,
    ),
    "it: faults": (
        lambda t: t.package == "signet-tests" and t.name.startswith("faults::"),
        "package(=signet-tests) & test(/^faults::/)",
        1,
    ),
}


class Report:
    def __init__(self):
        self.lines = []
        self.total = Result()

    def part(self, name, expected, result, seconds):
        executed = result.passed + result.failed
        self.lines.append(
            f"{name:<12} expected {expected:>4}  executed {executed:>4}  "
            f"failed {result.failed:>3}  {seconds:7.1f} s"
        )
        self.total += result
        if executed < expected:
            self.problem(f"{name}: {expected - executed} tests did not run")
        elif executed > expected:
            self.problem(f"{name}: {executed - expected} tests more than listed")
        if seconds > SLOW:
            self.lines.append(f"warning: {name} took more than {SLOW // 60} minutes")

    def step(self, name, good, seconds):
        self.lines.append(f"{name:<12} {'done' if good else 'FAILED'}{seconds:>42.1f} s")
        if not good:
            self.total += Result(failed=1)

    def problem(self, text):
        self.lines.append(f"error: {text}")
        self.total += Result(failed=1)

    def close(self):
        print("\n" + "\n".join(self.lines) + "\n")
        print(f"{self.total.passed} passed, {self.total.failed} failed", flush=True)
        return 1 if self.total.failed or not self.total.passed else 0


def heading(text):
    print(f"\n=== {text}", flush=True)


def build(report, locked):
    heading("build")
    clock = Clock()
    status, _ = call(["cargo", "build", *locked, "--workspace", "--bins", "--tests"])
    tests = None if status else build_tests([*locked, "--workspace"])
    report.step("build", tests is not None, clock.seconds())
    return tests


def parts(report, tests, env, names, texts):
    """Runs the tests of these parts whose name contains one of `texts`; all of them where there is none."""
    found = False
    for name in names:
        belongs, expression, threads = PARTS[name]
        chosen = [test for test in tests if belongs(test) and any(text in test.name for text in texts or [""])]
        for test in chosen:
            if test.ignored:
                report.problem(f"ignored: {test.package} {test.name}")
        chosen = [test for test in chosen if not test.ignored]
        if not chosen:
            continue
        found = True
        heading(name)
        clock = Clock()
        if texts:
            expression += " & (" + " | ".join(f"test(~{text})" for text in texts) + ")"
        result = run_tests(chosen, expression, threads, env)
        report.part(name, len(chosen), result, clock.seconds())
    if not found:
        report.problem("no test of this name")


def documentation(report, locked, env):
    """The examples in doc comments."""
    heading("doc tests")
    clock = Clock()
    status, output = call(["cargo", "test", *locked, "--workspace", "--doc"], env, capture="stdout")
    print(output, end="")
    expected = sum(int(line.split()[1]) for line in output.splitlines()
                   if line.startswith("running "))
    result = summary(output)
    if status and not result.failed:
        report.problem("doc tests did not build")
    report.part("doc tests", expected, result, clock.seconds())


def check_mutations(report, tests, full, services):
    heading("mutations")
    clock = Clock()
    if full:
        expected, result = mutations.run_all([], services)
    else:
        expected, result = mutations.check(tests)
    report.part("mutations", expected, result, clock.seconds())


def citations(report):
    """The tests named in `docs/`: written anew, or compared where CI must not change files."""
    heading("citations")
    clock = Clock()
    command = [os.path.join(ROOT, "tests", "citations")]
    status, _ = call(command + (["--check"] if os.environ.get("CI") else []))
    report.step("citations", status == 0, clock.seconds())


def bench(report, services):
    """What the operations of the budgets cost a release build; prints, and judges no time."""
    heading("build")
    clock = Clock()
    command = ["cargo", "build", "--release", "--message-format=json-render-diagnostics"]
    command += ["-p", "signet-server", "--bin", "signet", "-p", "signet-tests", "--bench", "load"]
    status, output = call(command, capture="stdout")
    report.step("build", status == 0, clock.seconds())
    if status:
        return
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    built = {message["target"]["name"]: message["executable"]
             for message in messages if message.get("executable")}
    heading("bench")
    clock = Clock()
    status, _ = call([built["load"]], {**services.env, "SIGNET_TEST_BIN": built["signet"]}, timeout=300)
    report.total += Result(passed=1) if status == 0 else Result()
    report.step("bench", status == 0, clock.seconds())


def options():
    parser = argparse.ArgumentParser(prog="tests/run", description=(
        "Starts PostgreSQL, Redis and chromedriver, installs relying parties (and what is missing "
        "for all of them), builds, and runs every test. With FILTERs only the tests whose name contains one of them."))
    parser.add_argument("filter", nargs="*")
    parser.add_argument("--screenshots", action="store_true",
                        help="run the browser tests and write their pictures to docs/images")
    parser.add_argument("--mutations", action="store_true",
                        help="run every mutation, instead of checking that each still applies")
    parser.add_argument("--bench", action="store_true",
                        help="measure a release build instead; prints what each operation costs")
    return parser.parse_args()


def suite(args, services, report):
    locked = ["--locked"] if os.environ.get("CI") else []
    env = {"SIGNET_TEST_SCREENSHOTS": os.path.join(TARGET, "screenshots"), **services.env}
    if args.screenshots:
        env["SIGNET_TEST_SCREENSHOTS"] = os.path.join(ROOT, "docs", "images")
    tests = build(report, locked)
    if tests is None:
        return
    if args.filter or args.screenshots:
        names = ["it: browser"] if args.screenshots else PARTS
        parts(report, tests, env, names, args.filter)
        return
    parts(report, tests, env, PARTS, [])
    documentation(report, locked, env)
    check_mutations(report, tests, args.mutations, services)
    citations(report)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args = options()
    report = Report()
    clock = Clock()
    try:
        heading("services")
        with Services() as services:
            services.env.update(relying.ensure())
            report.step("services", True, clock.seconds())
            bench(report, services) if args.bench else suite(args, services, report)
    except Missing as missing:
        print(f"tests/run: {missing}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tests/run: interrupted", file=sys.stderr)
        return 130
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
