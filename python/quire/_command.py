"""The command `quire`: hands over to the program that lies in this package."""

import os
import sys


def main() -> int:
    """Replaces this process by the program; returns only where it cannot."""
    from quire.options import find_onnxruntime

    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "quire")
    # What `quire pull` runs, and where the extra [onnx] has its library.
    os.environ.setdefault("QUIRE_PYTHON", sys.executable)
    find_onnxruntime()
    try:
        os.execv(program, ["quire", *sys.argv[1:]])
    except OSError as error:
        print(
            f"quire: {program} cannot be run: {error.strerror}; install quire-llm again "
            "(in its repository: scripts/build.sh release)",
            file=sys.stderr,
        )
    return 1
