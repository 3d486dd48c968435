"""The same prompts on every instruction set, native and emulated: token ids and logits must be equal bit for
bit within each of two groups, the paths that fuse multiply-adds and those that do not (docs/arm64.md).

    same_bits_test.py NATIVE_DRIVER ARM64_DRIVER PACKAGE
"""

import os
import subprocess
import sys

PROMPTS = "What is the capital of France?\n"
MAX_TOKENS = "6"
EMULATOR = ["qemu-aarch64", "-cpu", "max"]
GROUPS = {
    "multiply-adds fused": {"native": ["avx2", "avx512", "amx"], "arm64": ["neon", "dotprod", "i8mm"]},
    "multiply-adds apart": {"native": ["portable"], "arm64": ["portable"]},
}


def run(command, package, isa):
    """What a driver prints on one path; None where the machine lacks the path."""
    result = subprocess.run(
        [*command, package, MAX_TOKENS], input=PROMPTS, capture_output=True, text=True,
        env={**os.environ, "QUIRE_ISA": isa}, check=False,
    )
    if result.returncode != 0 and "does not have" in result.stderr:
        return None
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed on {isa}: {result.stderr}")
    return result.stdout


def main(native, arm64, package):
    failed = 0
    for group, machines in GROUPS.items():
        seen = {}
        for machine, isas in machines.items():
            command = [native] if machine == "native" else [*EMULATOR, arm64]
            for isa in isas:
                answer = run(command, package, isa)
                if answer is None:
                    print(f"{machine} {isa}: this processor does not have it")
                    continue
                print(f"{machine} {isa}: {answer.splitlines()[0]}")
                seen[f"{machine} {isa}"] = answer
        if len({name.split()[0] for name in seen}) < 2 or len(set(seen.values())) != 1:
            failed += 1
            print(f"error: {group}: not the same on {', '.join(seen)}:\n{seen}")
    print(f"{len(GROUPS) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
