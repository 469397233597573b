"""`python -m config.embedded start|stop|status|remove`: the embedded servers of this checkout, by hand."""

import argparse
import sys
from pathlib import Path

from config import embedded


def main() -> int:
    """0 when done; 1 when it cannot be done, or for `status` when the servers do not both answer."""
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status", "remove"])
    action = parser.parse_args().action
    root = Path(__file__).resolve().parent.parent.parent
    try:
        if action == "start":
            embedded.start(root)
        elif action == "stop":
            embedded.stop(root)
        elif action == "remove":
            embedded.remove(root)
        status = embedded.status(root)
    except embedded.EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{status}\n")
    return 0 if status.is_running or action != "status" else 1


if __name__ == "__main__":
    sys.exit(main())
