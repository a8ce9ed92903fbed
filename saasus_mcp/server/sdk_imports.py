"""Load the SDK's server without the parts of the SDK that no server uses.

The packages `mcp` and `mcp.server` import every module whose names they offer: a client, a framework for servers and OAuth for
clients with its cryptography. This would take 10 MiB and a fifth of the processor time that a process needs to start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

_PACKAGES = ("mcp", "mcp.server")


def load_server() -> None:
    """Load the SDK's server for stdio.

    The code of `mcp` and `mcp.server` runs when one of their names is asked for; their modules can be imported as before.
    Answers by event streams would load uvicorn, to end with it. It takes 2 MiB and stays hidden meanwhile.
    """
    for name in _PACKAGES:
        if name not in sys.modules:
            _defer(name)
    modules: dict[str, Any] = sys.modules
    if "uvicorn" in modules:
        return
    modules["uvicorn"] = None  # Python refuses the import
    try:
        with _build_models_when_used():
            import_module("mcp.server.lowlevel")
    finally:
        del modules["uvicorn"]


@contextmanager
def _build_models_when_used() -> Iterator[None]:
    """Have pydantic compile the models that are loaded meanwhile when they are first used: most messages never are."""
    from pydantic import BaseModel, ConfigDict  # noqa: PLC0415 - after the early responses to the client

    config = BaseModel.model_config
    BaseModel.model_config = ConfigDict(**config, defer_build=True)
    try:
        yield
    finally:
        BaseModel.model_config = config


def _defer(name: str) -> None:
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return  # the first import reports what is missing
    module, load = module_from_spec(spec), spec.loader.exec_module

    def find_attribute(attribute: str) -> Any:
        """Load the package. Python calls this for an attribute that a module does not have."""
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        vars(module).pop("__getattr__", None)
        load(module)
        return getattr(module, attribute)

    vars(module)["__getattr__"] = find_attribute
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
