"""How does the compiled kernel come to lie beside its source?

As a build hook of hatchling: whoever installs saferoom with a C compiler at hand gets the
kernel, whoever has none gets the same answers more slowly. By hand:
`python tools/build_kernel.py`. `CC` names another compiler.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any  # hatchling's own free form

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).resolve().parent.parent / "saferoom" / "cage" / "kernel" / "trees.c"
# No fused steps and no reordering: every engine gives the same doubles.
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fno-fast-math", "-fPIC", "-shared", "-Wall")


class KernelHook(BuildHookInterface[Any]):
    """Build it before the package is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # the interface
        """Compile, and ship what came of it in a wheel of this machine's kind."""
        if build() and self.target_name == "wheel":
            build_data["artifacts"].append("saferoom/cage/kernel/trees.so")
            build_data["pure_python"] = False
            build_data["infer_tag"] = True


def build() -> bool:
    """Compile where that is possible, and say whether there is a kernel now."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return False
    fresh = SOURCE.with_suffix(".so.new")
    command = [compiler, *FLAGS, str(SOURCE), "-o", str(fresh)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own source
    if done.returncode != 0:
        print(f"the kernel was not built:\n{done.stderr}", file=sys.stderr)
        return False
    fresh.replace(SOURCE.with_suffix(".so"))
    return True


if __name__ == "__main__":
    sys.exit(0 if build() else 1)
