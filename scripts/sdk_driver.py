"""Makes single calls with the published Python SDK: started by scripts/sdk_calls.py, in the SDK's own environment.

Speaks lines of JSON: first the SDK's operations go to standard output; then, for each call that comes by standard input, how it ended.
SAASUS_BASE_URL and the three credentials come by the environment, as the SDK reads them.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
import typing
import warnings
from collections.abc import Callable, Iterator
from typing import Any

PACKAGE = "saasus_sdk_python"
SUFFIX = "_with_http_info"
RESERVED = "var_"
"""Stands before a parameter's name that is a type's, too, such as `date`."""
SECONDS = 20
LONGEST = 300


def operations() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield the module, the name and the function of each operation."""
    source = importlib.import_module(f"{PACKAGE}.src.auth").__path__[0].rpartition("auth")[0]
    for module in sorted(each.name for each in pkgutil.iter_modules([source])):
        name = f"Signed{module.capitalize()}ApiClient"
        client = getattr(importlib.import_module(f"{PACKAGE}.client.{module}_client"), name)()
        package = importlib.import_module(f"{PACKAGE}.src.{module}.api")
        groups: list[tuple[str, Callable[..., Any]]] = inspect.getmembers(package, inspect.isclass)
        for _, group in groups:
            for method, function in inspect.getmembers(group(client), inspect.ismethod):
                if method.endswith(SUFFIX):
                    yield module, method.removesuffix(SUFFIX), function


def given(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as the function wants them: those of path and query by name, the others in a model."""
    known = {name: one for name, one in inspect.signature(function).parameters.items() if name != "kwargs"}
    bodies = {name: model for name, one in known.items() if (model := _model(one.annotation)) is not None}
    renamed = {name: RESERVED + name if RESERVED + name in known else name for name in arguments}
    plain = {renamed[name]: value for name, value in arguments.items() if renamed[name] in known.keys() - bodies}
    rest = {name: value for name, value in arguments.items() if renamed[name] not in plain}
    return plain | {name: model.from_dict(rest) for name, model in bodies.items()}


def _model(annotation: Any) -> Any:
    """Return the model that an annotation names; None where it is a plain value."""
    if hasattr(annotation, "from_dict"):
        return annotation
    return next((model for one in typing.get_args(annotation) if (model := _model(one)) is not None), None)


def called(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """How one call ended: the status, or what the SDK raised."""
    try:
        answer = function(**given(function, arguments), _request_timeout=SECONDS)
    except Exception as error:  # noqa: BLE001 - what the SDK raises is the result
        status = getattr(error, "status", None)
        said = str(getattr(error, "body", None) or error)
        return {"status": status, "raised": type(error).__name__, "said": said[:LONGEST]}
    return {"status": answer.status_code, "raised": "", "said": ""}


def main() -> None:
    warnings.simplefilter("ignore")  # of the SDK's own code
    out, sys.stdout = sys.stdout, sys.stderr  # the SDK prints
    functions = {(module, name): function for module, name, function in operations()}
    print(json.dumps(sorted(functions)), file=out, flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        print(json.dumps(called(functions[call["module"], call["name"]], call["arguments"])), file=out, flush=True)


if __name__ == "__main__":
    main()
