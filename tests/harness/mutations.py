"""Mutations: patches that each take one defence away, and the test that must then fail.

A patch starts with two lines before its diff:
    # defence: what is taken away
    # test: PACKAGE NAME        (the full name of one test, such as `signet-tests token::replay`)
"""

import filecmp
import glob
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from cargo import Clock, Result, build_tests, call, run_one
from services import ROOT, TARGET

FOLDER = os.path.join(ROOT, "tests", "mutations")
HOME = os.path.join(TARGET, "mutations")
TREE = os.path.join(HOME, "tree")
BUILD = os.path.join(HOME, "target")


@dataclass(frozen=True)
class Patch:
    name: str
    path: str
    defence: str
    package: str
    test: str


def patches(names):
    """The patches of these names, or all."""
    found = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.patch"))):
        name = os.path.basename(path)[: -len(".patch")]
        if names and name not in names:
            continue
        with open(path, encoding="utf-8") as file:
            head = file.read().split("\ndiff --git ")[0]
        defence = re.search(r"(?m)^# defence: (.+)$", head)
        test = re.search(r"(?m)^# test: (\S+) (\S+)$", head)
        if not defence or not test:
            raise SystemExit(f"{path}: needs `# defence: …` and `# test: PACKAGE NAME`")
        found.append(Patch(name, path, defence.group(1), *test.groups()))
    unknown = set(names) - {patch.name for patch in found}
    if unknown:
        raise SystemExit(f"no such mutation: {', '.join(sorted(unknown))}")
    return found


def apply(patch, *options, tree=ROOT):
    """git apply, told to look at plain files wherever the tree lies."""
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(tree)}
    done = subprocess.run(
        ["git", "apply", *options, patch.path], cwd=tree, env=environment,
        capture_output=True, text=True,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or "git apply failed"


def check(tests):
    """Whether every patch applies and names a test that exists; gives count and result."""
    known = {(test.package, test.name) for test in tests}
    result, chosen = Result(), patches([])
    for patch in chosen:
        problem = apply(patch, "--check")
        if not problem and (patch.package, patch.test) not in known:
            problem = f"no test {patch.package} {patch.test}"
        print(f"{patch.name}: {problem or 'applies'}")
        result += Result(failed=1) if problem else Result(passed=1)
    return len(chosen), result


def run_all(names, services):
    """Applies each patch to a copy of the tree and expects its test to fail."""
    chosen = patches(names)
    copy_tree()
    seed()
    result = Result()
    baseline = {}
    for package in sorted({patch.package for patch in chosen}):
        tests = build(package)
        if tests is None:
            raise SystemExit(f"{package} does not build without a patch")
        for patch in chosen:
            if patch.package == package:
                baseline[patch.name] = outcome(tests, patch, services)[0]
    for patch in chosen:
        clock = Clock()
        word, detail = judge(patch, baseline[patch.name], services)
        good = word == "caught"
        print(f"{word:<9} {patch.name} ({clock.seconds():.0f} s): {patch.defence}", flush=True)
        if not good:
            print(detail)
        result += Result(passed=1) if good else Result(failed=1)
    return len(chosen), result


def judge(patch, baseline, services):
    """One word on a patch, and what a person needs to know when it is not "caught"."""
    if baseline != "passed":
        return "unfit", f"  without the patch: {patch.package} {patch.test} {baseline}"
    problem = apply(patch, tree=TREE)
    if problem:
        return "stale", f"  {problem}"
    try:
        tests = build(patch.package)
        if tests is None:
            return "broken", "  does not compile with the patch"
        word, output = outcome(tests, patch, services)
    finally:
        restore(patch)
    if word == "passed":
        return "SURVIVED", f"  {patch.package} {patch.test} still passes"
    return ("caught", "") if word == "failed" else (word, output)


def restore(patch):
    problem = apply(patch, "--reverse", tree=TREE)
    if problem:
        raise SystemExit(f"{patch.name}: cannot be taken back: {problem}")


def build(package):
    """Builds what a test of the package runs, in the copy; gives its tests."""
    environment = {"CARGO_TARGET_DIR": BUILD}
    if package in ("signet-storage", "signet-server", "signet-tests"):
        # As `tests/run` builds, so that the dependencies copied from there serve: other selections of packages
        # switch on other features of them.
        status, _ = call(["cargo", "build", "-q", "--workspace", "--bins", "--tests"], environment, TREE)
        return None if status else build_tests(["-q", "--workspace"], environment, TREE)
    return build_tests(["-q", "-p", package], environment, TREE)


def outcome(tests, patch, services):
    """What comes of the patch's test: "passed", "failed", "absent"."""
    for test in tests:
        if (test.package, test.name) == (patch.package, patch.test):
            return run_one(test, services.env)
    return "absent", f"  no test {patch.package} {patch.test}"


def copy_tree():
    """Brings the copy up to date, touching only files that differ, so that builds stay small."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout
    wanted = {name for name in listed.split("\0") if os.path.isfile(os.path.join(ROOT, name))}
    for folder, _, files in os.walk(TREE):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.relpath(path, TREE) not in wanted:
                os.remove(path)
    for name in wanted:
        source, copy = os.path.join(ROOT, name), os.path.join(TREE, name)
        if os.path.exists(copy) and filecmp.cmp(source, copy, shallow=False):
            continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(source, copy)
        shutil.copymode(source, copy)


def seed():
    """Takes over the compiled dependencies, once: they do not depend on where the tree lies."""
    debug = os.path.join(TARGET, "debug")
    if os.path.exists(BUILD) or not os.path.isdir(debug):
        return
    os.makedirs(os.path.join(BUILD, "debug"))
    for part in ("deps", "build", ".fingerprint"):
        subprocess.run(
            ["cp", "-a", "--reflink=auto", os.path.join(debug, part), os.path.join(BUILD, "debug")],
            check=True,
        )
