"""`python main.py SCENARIO`: one conversation with the test, in lines of JSON."""

import importlib
import json
import sys


def hear():
    line = sys.stdin.readline()
    if not line:
        raise EOFError("the test has gone")
    return json.loads(line)


def say(message):
    print(json.dumps(message), flush=True)


def visit(url):
    """What came back from an address that the person's browser opened."""
    say({"open": url})
    return hear()["url"]


def main():
    scenario = importlib.import_module(sys.argv[1])
    try:
        say({"result": scenario.run(hear(), visit)})
    except Exception as error:  # the test shows it, whatever it is
        cause = repr(error.__cause__)
        say({"error": {"name": type(error).__name__, "message": str(error), "cause": cause}})
        raise


if __name__ == "__main__":
    main()
