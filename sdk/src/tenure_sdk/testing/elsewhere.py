"""Trying a connector in a process of its own: what its import does, and in which order it yields."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenure_sdk.testing.bench import Bench, NotApplicable, records_of
from tenure_sdk.testing.remote import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"}
PROCESSES = {"subprocess.Popen", "os.system", "os.fork", "os.posix_spawn"}
LACKING = 3
"""What the other interpreter ends with when the remote of the tests cannot do what is asked."""


def address_of(thing: Any) -> list[str]:
    """Where a class is found again: file, module and name. Raises NotApplicable for one inside a function."""
    if "<locals>" in thing.__qualname__:
        raise NotApplicable(f"{thing.__qualname__} stands inside a function: another process cannot find it")
    return [str(Path(inspect.getfile(thing)).resolve()), thing.__module__, thing.__qualname__]


def ask(what: str, *addresses: list[str], seed: str = "0") -> Any:
    """Run `imported` or `ordered` in a new interpreter, and its answer."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "tenure_sdk.testing.elsewhere", what, json.dumps(addresses)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own interpreter
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the interpreter died"
        raise Missing(last) if done.returncode == LACKING else ImportError(last)
    return json.loads(done.stdout.splitlines()[-1])


def imported(connector: list[str]) -> dict[str, Any]:
    """What importing the connector's module did, and how many seconds of the processor it took."""
    sys.dont_write_bytecode = True
    did: list[str] = []

    def listen(event: str, args: tuple[Any, ...]) -> None:
        if event in NETWORK | PROCESSES:
            did.append(event)
        elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
            did.append(f"open {args[0]} for writing")

    sys.addaudithook(listen)
    threads, start = threading.active_count(), time.process_time()
    _load(connector)
    seconds = time.process_time() - start
    if threading.active_count() > threads:
        did.append("a thread")
    return {"did": list(did), "seconds": seconds}


def ordered(connector: list[str], remote: list[str]) -> dict[str, list[str]]:
    """The ids that each stream yields, in turn."""
    bench = Bench(_load(connector), _load(remote))

    async def read() -> dict[str, list[str]]:
        side = bench.remote()
        host = bench.host(side)
        for stream in bench.streams():
            side.seed(stream.name, 4 * side.page_size)
        found = {
            stream.name: [record.id for record in records_of(await host.pages(stream))] for stream in bench.streams()
        }
        await bench.aclose()
        return found

    return asyncio.run(read())


def _load(address: list[str]) -> Any:
    file, module, name = address
    loaded = _module(file, module)
    for part in name.split("."):
        loaded = getattr(loaded, part)
    return loaded


def _module(file: str, name: str) -> Any:
    try:
        found = importlib.import_module(name)
        if Path(found.__file__ or "").resolve() == Path(file):
            return found
    except ModuleNotFoundError as problem:
        if problem.name is None or not name.startswith(problem.name):
            raise
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


if __name__ == "__main__":
    work: dict[str, Callable[..., Any]] = {"imported": imported, "ordered": ordered}
    try:
        sys.stdout.write(json.dumps(work[sys.argv[1]](*json.loads(sys.argv[2]))) + "\n")
    except Missing as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(LACKING)
