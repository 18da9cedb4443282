"""How is native LightGBM asked, without its Python package?

Its C interface by ctypes: a cold start of tenths of a second instead of whole ones,
and pandas, scipy and scikit-learn stay out of the cage. Only canonical text made by
`scoring.lightgbm_writer` comes here. The library's own error text goes nowhere.
"""

from __future__ import annotations

import ctypes
import importlib.util
import weakref
from pathlib import Path

import numpy as np

from saferoom.errors import Unavailable
from saferoom.scoring.functions import Floats
from saferoom.scoring.lightgbm_writer import write_lightgbm
from saferoom.scoring.trees import Trees

_FLOAT64 = 1  # C_API_DTYPE_FLOAT64
_ROW_MAJOR = 1
_RAW = 1  # C_API_PREDICT_RAW_SCORE: the sum, without a link
_ALL_TREES = -1
_PARAMETERS = b"num_threads=1 verbosity=-1"


class NativeFault(Exception):
    """The library refused; its text is not passed on."""


def load_library() -> ctypes.CDLL:
    """Find lib_lightgbm beside its package, which is not imported."""
    package = importlib.util.find_spec("lightgbm")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / "lib" / "lib_lightgbm.so"
        if path.is_file():
            try:
                library = ctypes.CDLL(str(path))
            except OSError as error:  # libgomp is the system's
                raise Unavailable(
                    "CAGE_UNAVAILABLE", "LightGBM cannot be loaded; install libgomp1"
                ) from error
            library.LGBM_GetLastError.restype = ctypes.c_char_p
            return library
    raise Unavailable("CAGE_UNAVAILABLE", "LightGBM is not installed; install saferoom[room]")


class Booster:
    """Trees inside the library, whose copy is freed with this object."""

    def __init__(self, library: ctypes.CDLL, model: Trees, columns: int) -> None:
        self._library = library
        self._handle = ctypes.c_void_p()
        iterations = ctypes.c_int()
        text = write_lightgbm(model, columns).encode()
        self._call(
            "LGBM_BoosterLoadModelFromString",
            ctypes.c_char_p(text),
            ctypes.byref(iterations),
            ctypes.byref(self._handle),
        )
        weakref.finalize(self, library.LGBM_BoosterFree, self._handle)
        if iterations.value != len(model.trees):
            raise NativeFault

    def sums(self, matrix: Floats) -> Floats:
        """Sum the trees for each row of a C-contiguous float64 matrix."""
        rows, columns = matrix.shape
        result = np.empty(rows, np.float64)
        written = ctypes.c_int64()
        self._call(
            "LGBM_BoosterPredictForMat",
            self._handle,
            ctypes.c_void_p(matrix.ctypes.data),
            ctypes.c_int(_FLOAT64),
            ctypes.c_int32(rows),
            ctypes.c_int32(columns),
            ctypes.c_int(_ROW_MAJOR),
            ctypes.c_int(_RAW),
            ctypes.c_int(0),
            ctypes.c_int(_ALL_TREES),
            ctypes.c_char_p(_PARAMETERS),
            ctypes.byref(written),
            ctypes.c_void_p(result.ctypes.data),
        )
        if written.value != rows:
            raise NativeFault
        return result

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._library, name)(*arguments) != 0:
            text = self._library.LGBM_GetLastError() or b""
            raise MemoryError if b"bad_alloc" in text else NativeFault
