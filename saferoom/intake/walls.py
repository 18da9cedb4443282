"""How does intake shut itself in before it looks at a byte of a source's file?

Its folder's files are open by then, and the channel to the vault. After that it opens nothing,
writes nothing, starts nothing and speaks to nobody else: the cage's walls, and beyond the
cage's calls only `read` and `pread64` on what is open. What they are worth is shown by the
cage's own self-test, and told to the vault, which goes on only if every effect failed.
"""

from __future__ import annotations

import codecs
import io
import os
import resource
import zipfile

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from saferoom.cage import lockdown, seccomp, self_test
from saferoom.crypto.sealing import SealingKey, seal

MEMORY = 2 * 2**30
_ALSO = {"x86_64": (0, 17), "aarch64": (63, 67)}  # read, pread64


def shut(parent: int) -> dict[str, str]:
    """Put the walls up for good; return how each forbidden effect failed."""
    _warm_up()
    machine = seccomp.machine()
    program = seccomp.build_filter(machine, _ALSO[os.uname().machine])
    lockdown.give_up(MEMORY, parent, program)
    return self_test.run(parent)


def start_nothing(largest_file: int = 0) -> None:
    """Bound memory and gain no rights: what is left to ask of an intake with a database driver."""
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, largest_file)):
        resource.setrlimit(limit, (value, value))
    lockdown.gain_nothing()


def _warm_up() -> None:
    """Load what our readers load when first used; afterwards nothing more can be opened."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for codec in ("utf-8", "utf-8-sig", "gb18030"):
        codecs.lookup(codec)
    seal(b"", [SealingKey(os.urandom(32)).public], b"", os.urandom)
    written = io.BytesIO()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), written)
    written.seek(0)
    for _ in pq.ParquetFile(written, pre_buffer=False).iter_batches(use_threads=False):
        pass
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("a", b"")
    zipfile.ZipFile(written).close()  # names of parts are in an encoding of their own
