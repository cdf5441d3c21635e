"""Archives of arrays from untrusted sources. No JAX here."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxteach.utils.errors import UserError


def read_arrays(file: Path, what: str) -> dict[str, npt.NDArray[Any]]:
    """Read an .npz file, whole.

    Args:
        file: the archive.
        what: what it holds, for the message.

    Returns:
        Its arrays by name; none of them of Python objects, which would be unpickled.

    Raises:
        UserError: it cannot be read, then caused by the OSError, or is no such archive.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    try:
        # NumPy given a name would leave a damaged file open.
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return dict(archive.items())
    except Exception as error:  # damaged bytes make NumPy, zipfile and zlib raise a dozen unrelated types
        raise UserError(f"{file} is damaged or cut short: not an archive of {what}") from error
