"""Makes packs: all that a sweep needs, in a folder that runs on a device without a hub."""

from __future__ import annotations

from evalsuite.bundle.hub_cache import HubCacheFinder
from evalsuite.bundle.make import check_target, make_pack

__all__ = ["HubCacheFinder", "check_target", "make_pack"]
