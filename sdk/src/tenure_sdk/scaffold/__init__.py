"""A new connector as files: a package that passes the conformance kit before its author has written a line."""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

AuthKind: TypeAlias = Literal["none", "apikey", "basic", "oauth2", "client"]
HookKind: TypeAlias = Literal["hmac", "standard", "token"]

AUTHS: dict[str, str] = {
    "none": "None",
    "apikey": 'ApiKey(prefix="Bearer ")',
    "basic": "Basic()",
    "oauth2": "OAuth2(\n"
    '        authorize_url="https://id.$host/authorize",\n        token_url="https://id.$host/token",\n'
    '        scopes=("read",),\n    )',
    "client": 'ClientCredentials(token_url="https://id.$host/token", scopes=("read",))',
}
HOOKS: dict[str, str] = {
    "hmac": 'HmacSignature(header="x-$key-signature")',
    "standard": "StandardWebhooks()",
    "token": 'StaticToken(header="x-$key-token")',
}
RECORDS: dict[str, str] = {
    "customers": "Customer", "products": "Product", "orders": "Order", "invoices": "Invoice", "payments": "Payment",
    "interactions": "Interaction",
}  # fmt: skip
"""The streams that can be scaffolded, and the records that they bring."""
MONEY = {"orders", "invoices", "payments"}
"""Those that are about money."""
OF_CUSTOMERS = MONEY | {"interactions"}
"""Those that name a customer."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    key: str
    """The connector's key: lower-case letters, digits and hyphens."""
    auth: AuthKind = "apikey"
    streams: tuple[str, ...] = ("customers",)
    """Of `RECORDS`."""
    push: bool = False
    """Customers are written, too."""
    webhook: HookKind | None = None

    @property
    def package(self) -> str:
        """The name of the Python package."""
        return self.key.replace("-", "_")

    @property
    def title(self) -> str:
        """The name for people."""
        return self.key.replace("-", " ").title()

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.title.replace(" ", "")


def files(plan: Plan) -> dict[str, str]:
    """The text of each file by its path."""
    values = _values(plan)
    connector = _filled("connector.txt", values)
    return {
        "pyproject.toml": _filled("pyproject.txt", values),
        "README.md": _filled("readme.txt", values),
        ".gitignore": _text("gitignore.txt"),
        ".github/workflows/ci.yml": _filled("ci.txt", values),
        f"src/{plan.package}/__init__.py": connector,
        f"src/{plan.package}/sandbox.py": _filled("sandbox.txt", values),
        f"src/{plan.package}/py.typed": "",
        f"tests/test_{plan.package}.py": _filled("test.txt", values),
    }


def config_table(config: type[Struct]) -> str:
    """The settings as a table for a README, from their JSON Schema."""
    schema = msgspec.json.schema(config)
    table: dict[str, Any] = schema["$defs"][config.__name__]
    lines = ["| setting | title | required | default |", "|---|---|---|---|"]
    for name, setting in table.get("properties", {}).items():
        required = "yes" if name in table.get("required", ()) else "no"
        lines.append(f"| `{name}` | {setting.get('title', '')} | {required} | {setting.get('default', '')} |")
    return "\n".join(lines)


def _values(plan: Plan) -> dict[str, str]:
    base = {
        "key": plan.key, "package": plan.package, "title": plan.title, "name": plan.name, "host": f"{plan.key}.example",
        "initials": "".join(word[0] for word in plan.title.split())[:2],
    }  # fmt: skip
    fetched = plan.push or plan.webhook is not None
    methods = [_part("stream", stream) for stream in plan.streams]
    methods += [_part("fetch", stream) for stream in plan.streams] if fetched else []
    methods += [_text("push.txt")] if plan.push else []
    hook = Template(HOOKS[plan.webhook]).substitute(base) if plan.webhook else ""
    methods += [Template(_text("webhook.txt")).substitute(base, hook=hook)] if plan.webhook else []
    return base | {
        "auth": Template(AUTHS[plan.auth]).substitute(base),
        "imports": _imports(plan, fetched=fetched),
        "methods": "\n".join(methods).rstrip("\n"),
        "events": _text("events.txt") if plan.webhook else "",
        "makers": "\n\n".join(_text(f"maker_{stream}.txt") for stream in plan.streams),
        "tables": "".join(_text(f"table_{stream}.txt") for stream in plan.streams),
        "written": _text("routes_push.txt") if plan.push else "",
        "calls": _text("routes_webhook.txt").replace("CLASS", plan.name) if plan.webhook else "",
        "hooked": "import msgspec\n" if plan.webhook else "",
        "named": ", ".join(sorted(["Config", plan.name])) if plan.webhook else "Config",
        "declared": "from tenure_sdk import Webhook\n" if plan.webhook else "",
        "signed": ", signed" if plan.webhook else "",
        "streams": ", ".join(plan.streams),
        "stream": plan.streams[0],
        "limits": _text("limits.txt") if plan.push else "",
        "guarded": "    guarded = False\n" if plan.auth == "none" else "",
        "decimal": "from decimal import Decimal\n" if set(plan.streams) & MONEY else "",
        "sequence": ", Sequence" if fetched else "",
        "msgspec": "import msgspec\n" if plan.webhook else "",
    }


def _imports(plan: Plan, *, fetched: bool) -> str:
    names = {"Account", "Connector", "Context", "Cursor", "Page", "Record"}
    names |= {"left_over", "mapped", "next_token", "stream", "tile"}
    names |= {RECORDS[each] for each in plan.streams}
    names |= {AUTHS[plan.auth].partition("(")[0]} - {"None"}
    names |= {"Ref"} if set(plan.streams) & OF_CUSTOMERS else set()
    names |= {"Case"} if "interactions" in plan.streams else set()
    names |= {"fetch"} if fetched else set()
    names |= {"Change", "Limit", "Pushed", "push"} if plan.push else set()
    names |= {HOOKS[plan.webhook].partition("(")[0], "Delivery", "Signal", "webhook"} if plan.webhook else set()
    return "".join(f"    {name},\n" for name in sorted(names, key=lambda name: (name[0].islower(), name)))


def _part(what: str, stream: str) -> str:
    values = {"stream": stream, "record": RECORDS[stream], "maker": RECORDS[stream].lower()}
    return Template(_text(f"{what}.txt")).substitute(values)


def _filled(name: str, values: dict[str, str]) -> str:
    return Template(_text(name)).substitute(values).rstrip() + "\n"


def _text(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")
