"""The metrics, by what they are about; who imports this package has them all in the catalogue."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for name in ("domain.metrics.documents", *(module.name for module in iter_modules(__path__, f"{__name__}."))):
    import_module(name)
