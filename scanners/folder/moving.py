"""Moving files without ever replacing one, and making the move durable."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RENAME_NOREPLACE: Final = 1
_NOT_OFFERED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_RENAMEAT2: Final = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def move_from(root: Path, relative: Path, target: Path) -> None:
    """Rename `relative` below `root` to `target`; no folder on the way may be a link.

    Whoever may write to a watched folder can swap a subfolder for a link at any moment.

    Raises:
        FileExistsError: `target` exists; nothing was moved.
        OSError: Nothing was moved.
    """
    folder = os.open(root, _FOLDER)
    try:
        for part in relative.parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        move(Path(relative.name), target, folder)
    finally:
        os.close(folder)


def move(source: Path, target: Path, folder: int = _AT_FDCWD) -> None:
    """Rename `source` to `target` on the same file system; an existing file stays.

    Args:
        source: An absolute path, or a name in `folder`.
        target: An absolute path; its folders are made.
        folder: An open folder.

    Raises:
        FileExistsError: `target` exists; nothing was moved.
        OSError: Nothing was moved.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = errno.ENOSYS
    if _RENAMEAT2 is not None:
        names = folder, os.fsencode(source), _AT_FDCWD, os.fsencode(target)
        if _RENAMEAT2(*names, _RENAME_NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
    if number not in _NOT_OFFERED:
        raise OSError(number, os.strerror(number), str(source), None, str(target))
    # Network file systems: a placeholder reserves the name, and the rename replaces only it.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        os.rename(source, target, src_dir_fd=None if folder == _AT_FDCWD else folder)
    except OSError:
        target.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; file systems that cannot are left alone.

    Raises:
        OSError: The disk did not take it.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
