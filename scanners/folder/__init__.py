"""The watch folder: files that people and devices put down become arrivals."""

from __future__ import annotations

from scanners.folder.folders import check_folders
from scanners.folder.taking import DEFAULT_PROFILE, ProfileShelf
from scanners.folder.watch import FolderChannel, PassResult

__all__ = ["DEFAULT_PROFILE", "FolderChannel", "PassResult", "ProfileShelf", "check_folders"]
