"""ACT: what the remote side is asked to do."""

from __future__ import annotations

import msgspec

from tenure_sdk.connector import Action
from tenure_sdk.errors import ConnectorError
from tenure_sdk.testing.bench import Bench, Breach, check, some
from tenure_sdk.testing.wire import status


@check(
    "ACT-1",
    "bronze",
    "Input and output can be described",
    "Use Structs of types that msgspec knows, with a title for each field of the input.",
)
async def actions_are_described(bench: Bench) -> None:
    """As JSON Schema, for a form."""
    for action in bench.declared(Action):
        for kind in (action.takes, action.gives):
            try:
                schema = msgspec.json.schema(kind)
            except TypeError as problem:
                raise Breach(seen=str(problem), expected="types that have a schema", at=action.method) from problem
        fields = schema["$defs"][kind.__name__].get("properties", {}) if "$defs" in schema else {}
        if not isinstance(fields, dict):
            raise Breach(seen=some([kind.__name__]), expected="named fields", at=action.method)


@check(
    "ACT-2",
    "bronze",
    "What is declared idempotent is done once",
    "Send the key along, or find out whether it was done before doing it again.",
)
async def done_once(bench: Bench) -> None:
    """The same key twice."""
    for action in bench.declared(Action):
        remote = bench.remote()
        given = remote.action_input(action.name)
        host = bench.host(remote)
        before = remote.effects(action.name)
        for _ in range(2 if action.idempotent else 1):
            done = await action.bound(host.connector())(host.context(), given, "key-1")
            if not isinstance(done, action.gives):
                seen = f"a {type(done).__name__}"
                raise Breach(seen=seen, expected=f"a {action.gives.__name__}", at=action.method)
        times = remote.effects(action.name) - before
        if times != 1:
            raise Breach(seen=f"it was done {times} times", expected="once", at=action.method)


@check(
    "ACT-3",
    "silver",
    "A refusal is an error that says what to do",
    "Let the errors of ctx pass, or raise RecordRejected with the remote side's reason.",
)
async def refusals_are_mapped(bench: Bench) -> None:
    """The remote side answers 422."""
    for action in bench.declared(Action):
        remote = bench.remote()
        given = remote.action_input(action.name)
        host = bench.host(remote)
        host.wire.arm(status(422), times=50)
        try:
            await action.bound(host.connector())(host.context(), given, "key-1")
        except ConnectorError:
            continue
        except Exception as problem:
            seen = f"{type(problem).__name__}: {problem}"
            raise Breach(seen=seen, expected="a ConnectorError", at=action.method) from problem
        raise Breach(seen="it went unnoticed", expected="a ConnectorError", at=action.method)
