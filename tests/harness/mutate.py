"""`tests/mutations/run [NAME…]`: the mutations by themselves, with services of their own."""

import signal
import sys

import mutations
import relying
from cargo import Clock
from services import Missing, Services


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    clock = Clock()
    try:
        with Services() as services:
            services.env.update(relying.ensure())
            _, result = mutations.run_all(sys.argv[1:], services)
    except Missing as missing:
        print(f"tests/mutations/run: {missing}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{clock.seconds():.0f} s")
    print(f"{result.passed} passed, {result.failed} failed")
    return 1 if result.failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())
