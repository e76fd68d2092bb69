"""`tenure-sdk`: start a connector, check it, and look at what it reads or is answered."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tenure_sdk import scaffold
from tenure_sdk.account import Unnamed, real_account
from tenure_sdk.errors import ConnectorError
from tenure_sdk.http import Context, httpx
from tenure_sdk.pages import Page
from tenure_sdk.testing.recording import Recorder, Recording, Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tenure_sdk.connector import Connector

GROUP = "tenure.connectors"
NOTHING_FOUND = 5
"""What pytest ends with when there is no such test."""


class Slip(Exception):
    """The command cannot be done as it was written."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it was done, 2 when it could not be."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except (Slip, Unnamed, ConnectorError) as problem:
        sys.stderr.write(f"tenure-sdk: {problem}\n")
        return 2


def new(given: argparse.Namespace) -> int:
    """Write the files of a new connector into a folder of its own."""
    if re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", given.name) is None:
        raise Slip(f"{given.name}: a key has lower-case letters, digits and hyphens, such as acme-books")
    streams = tuple(dict.fromkeys(given.stream or ["customers"]))
    if given.push and "customers" not in streams:
        raise Slip("--push customers needs --stream customers: what is written has to be read back")
    folder = Path(given.into or given.name)
    if folder.exists() and any(folder.iterdir()):
        raise Slip(f"{folder} is not empty")
    plan = scaffold.Plan(
        key=given.name, auth=given.auth, streams=streams, push=bool(given.push),
        webhook=given.webhook,
    )  # fmt: skip
    for path, text in scaffold.files(plan).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    _fill_settings(folder, plan)
    sys.stdout.write(f'{folder}: now  cd {folder} && pip install -e ".[test]" && tenure-sdk check\n')
    return 0


def check(given: argparse.Namespace) -> int:
    """Run the conformance kit on the connector whose tests are in the folder."""
    if importlib.util.find_spec("blockbuster") is None:
        raise Slip('the kit needs more: pip install "tenure-sdk[testing]"')
    if not Path(given.folder).is_dir():
        raise Slip(f"there is no folder {given.folder}")
    if given.ship and (given.live or given.only):
        raise Slip("--ship writes what every check found: leave --only and --live out")
    how = [f"--{name}" for name in ("live", "ship") if getattr(given, name)]
    only = [part for name in given.only for part in ("--only", name)]
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-k", "test_conformance", *how, *only]
    status = subprocess.run(command, cwd=given.folder, check=False).returncode  # noqa: S603 - our own interpreter
    if status == NOTHING_FOUND:
        raise Slip(f"no Conformance class in the tests of {Path(given.folder).resolve()}: is it a connector's folder?")
    return status


def run(given: argparse.Namespace) -> int:
    """Print the first records of a stream, as JSON lines, with settings and credentials from the environment."""
    connector = find(given.connector)
    for record in asyncio.run(read(connector, given.stream, given.limit, os.environ)):
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
    return 0


def record(given: argparse.Namespace) -> int:
    """Keep what the real vendor answers to a stream, redacted, as a file that tests can read."""
    connector = find(given.connector)
    file = Path(given.into) / f"{given.stream}.json"
    found, replies = asyncio.run(recorded(connector, given.stream, given.limit, os.environ, file, keep=given.keep))
    sys.stdout.write(f"{file}: {replies} replies, {found} records; read it before you keep it\n")
    return 0


def find(name: str) -> type[Connector[Any]]:
    """A connector by its key, or as `module:Class`. Raises Slip where there is none."""
    if ":" in name:
        module, _, attribute = name.partition(":")
        sys.path[:0] = [str(Path.cwd() / "src"), str(Path.cwd())]
        return _named(module, attribute)
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    if name not in points:
        raise Slip(f"no connector {name} is installed; there are {', '.join(sorted(points)) or 'none'}")
    loaded: type[Connector[Any]] = points[name].load()
    return loaded


async def read(
    connector: type[Connector[Any]],
    stream: str,
    limit: int,
    environment: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> list[Any]:
    """The first records of a stream of the account that the environment names."""
    declared = {each.name: each for each in connector.streams()}.get(stream)
    if declared is None:
        raise Slip(f"{connector.key} has no stream {stream}; it has {', '.join(s.name for s in connector.streams())}")
    account = real_account(connector, environment)
    made = connector()
    async with httpx.AsyncClient(transport=transport) as client:
        ctx = Context(
            account.config, now=lambda: datetime.now(UTC), client=client, host=account, hosts=connector.hosts,
            auth=made.auth_for(account.config), classify=made.classify,
        )  # fmt: skip
        found: list[Any] = []
        async with aclosing(declared.read(made, ctx)) as pages:
            async for page in pages:
                found += page.records if isinstance(page, Page) else page.rows
                if len(found) >= limit:
                    break
    return found[:limit]


async def recorded(
    connector: type[Connector[Any]],
    stream: str,
    limit: int,
    environment: Mapping[str, str],
    file: Path,
    *,
    keep: Sequence[str] = (),
    transport: httpx.AsyncBaseTransport | None = None,
) -> tuple[int, int]:
    """Keep the replies to a stream in a file, with the texts of the fields `keep`; how many records and replies."""
    account = real_account(connector, environment)
    recording = Recording(
        connector=connector.key, version=connector.version, stream=stream, at=datetime.now(UTC),
        config=msgspec.to_builtins(account.config),
    )  # fmt: skip
    redaction = Redaction(account.values.values(), keep)
    recorder = Recorder(transport or httpx.AsyncHTTPTransport(), recording, redaction)
    found = await read(connector, stream, limit, environment, transport=recorder)
    recording.write(file)
    return len(found), len(recording.exchanges)


def _named(module: str, attribute: str) -> type[Connector[Any]]:
    try:
        found: type[Connector[Any]] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as problem:
        raise Slip(f"no module {problem.name}: is it installed, or is this the connector's folder?") from problem
    except AttributeError as problem:
        raise Slip(f"{module} has no {attribute}") from problem
    return found


def _fill_settings(folder: Path, plan: scaffold.Plan) -> None:
    """Write the settings of the new connector into its README, as its schema has them."""
    file = folder / "src" / plan.package / "__init__.py"
    spec = importlib.util.spec_from_file_location(plan.package, file)
    if spec is None or spec.loader is None:
        raise Slip(f"{file} is no module")
    module = sys.modules[plan.package] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        table = scaffold.config_table(module.Config)
    finally:
        del sys.modules[plan.package]
    readme = folder / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("$settings", table), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tenure-sdk", description="Write connectors for Tenure.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    made = commands.add_parser("new", help="start a connector in a folder of its own")
    made.add_argument("name", help="its key, such as acme-books")
    made.add_argument("--auth", choices=sorted(scaffold.AUTHS), default="apikey", help="how requests are let in")
    made.add_argument("--stream", action="append", choices=sorted(scaffold.RECORDS), help="what is read (repeatable)")
    made.add_argument("--push", choices=["customers"], help="what is written")
    made.add_argument("--webhook", choices=sorted(scaffold.HOOKS), help="how the vendor signs its calls")
    made.add_argument("--into", help="the folder; the key when not given")
    made.set_defaults(command=new)
    checked = commands.add_parser("check", help="run the conformance kit")
    checked.add_argument("folder", nargs="?", default=".", help="where the tests are")
    checked.add_argument("--only", action="append", default=[], metavar="CHECK", help="one check, such as CUR-3")
    checked.add_argument("--live", action="store_true", help="read the account that the environment names")
    checked.add_argument(
        "--ship", action="store_true", help="put the report into the package, for its tier to be shown"
    )
    checked.set_defaults(command=check)
    ran = commands.add_parser("run", help="print the first records of a stream")
    ran.add_argument("connector", help="its key, or module:Class")
    ran.add_argument("--stream", required=True)
    ran.add_argument("--limit", type=int, default=10)
    ran.set_defaults(command=run)
    kept = commands.add_parser("record", help="keep what the vendor answers to a stream, redacted, for tests")
    kept.add_argument("connector", help="its key, or module:Class")
    kept.add_argument("--stream", required=True)
    kept.add_argument("--limit", type=int, default=50)
    kept.add_argument("--into", default="tests/recordings", help="the folder")
    kept.add_argument("--keep", action="append", default=[], metavar="FIELD", help="a field whose text is not masked")
    kept.set_defaults(command=record)
    return parser


if __name__ == "__main__":
    sys.exit(main())
