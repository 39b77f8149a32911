"""Reads every list with a client that openapi-python-client made of the API document.

Arguments: the folder of the client, the base address, an API token, the cookie of an admin's session.
Prints the operations that were read; fails where an answer is not what the document says.
"""

import importlib
import inspect
import pkgutil
import sys

folder, base, token, cookie = sys.argv[1:]
sys.path.insert(0, folder)

from waggle_client import AuthenticatedClient, Client, api  # noqa: E402

name, _, value = cookie.partition("=")
callers = [
    AuthenticatedClient(base_url=base, token=token),
    Client(base_url=base, cookies={name: value}, headers={"sec-fetch-site": "same-origin"}),
]


def operations():
    for group in pkgutil.iter_modules(api.__path__):
        package = importlib.import_module(f"waggle_client.api.{group.name}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.startswith(("list_", "show_", "total_")):
                yield module.name, importlib.import_module(f"{package.__name__}.{module.name}")


def needed(function):
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.default is inspect.Parameter.empty]


for operation, module in operations():
    values = {"id": 1, "key": "LIMITS"}
    arguments = {one: values.get(one) for one in needed(module.sync_detailed) if one != "client"}
    if "body" in arguments:
        continue
    if None in arguments.values():
        sys.exit(f"{operation} needs {arguments}")
    for caller in callers:
        answer = module.sync_detailed(client=caller, **arguments)
        if answer.status_code == 200:
            if type(answer.parsed).__name__ in ("NoneType", "Problem"):
                sys.exit(f"{operation} was not read: {answer.content[:200]!r}")
            print(operation, type(answer.parsed).__name__)
            break
        if answer.status_code not in (403, 404):
            sys.exit(f"{operation}: {answer.status_code} {answer.content[:200]!r}")
    else:
        print(operation, "nothing")
