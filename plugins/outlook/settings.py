"""What an admin decides: whose mailboxes are read, and what of them is kept."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Keep: TypeAlias = Literal["METADATA", "FULL"]
Mail: TypeAlias = Annotated[str, Meta(pattern="^[^@\\s/?#]+@[^@\\s/?#]+$", max_length=320)]
Domain: TypeAlias = Annotated[str, Meta(pattern="^([^@\\s]+@)?[^@\\s]+$", max_length=320)]


class OutlookConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one integration with Outlook."""

    own_domains: Annotated[
        tuple[Domain, ...],
        Meta(
            min_length=1,
            title="Own domains",
            description="Mail and meetings of nobody outside these domains are never read into Tenure. "
            "A single address may stand here, too.",
        ),
    ]
    access: Annotated[
        Literal["mailbox", "organisation"],
        Meta(
            title="Access",
            description="mailbox: that of the person who signs in. organisation: the mailboxes that are listed here, "
            "by an administrator's consent.",
        ),
    ] = "mailbox"
    mailboxes: Annotated[
        tuple[Mail, ...], Meta(title="Mailboxes", description="With organisation: their addresses.")
    ] = ()
    keep: Annotated[
        Keep, Meta(title="What is kept", description="METADATA: who, when and the subject. FULL: the text, too.")
    ] = "METADATA"
    keep_of: Annotated[
        dict[str, Keep], Meta(title="What is kept of single mailboxes", description="By the mailbox's address.")
    ] = {}
    leave_out: Annotated[
        tuple[str, ...], Meta(title="Folders left out", description="Names of mail folders that are not read.")
    ] = ()
    calendar_days_back: Annotated[int, Meta(ge=0, le=1_000, title="Calendar: days back")] = 90
    calendar_days_ahead: Annotated[int, Meta(ge=1, le=700, title="Calendar: days ahead")] = 180
    contacts_mailbox: Annotated[
        Mail | None,
        Meta(title="New contacts go to", description="One of the mailboxes; the first one if none is named."),
    ] = None
    directory: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9.-]{1,100}$",
            title="Directory",
            description="Who may sign in: common, organizations, or the id or domain of one directory.",
        ),
    ] = "organizations"

    def __post_init__(self) -> None:
        if self.access == "organisation" and not self.mailboxes:
            raise ValueError("mailboxes: list the mailboxes that may be read")
        if self.access == "organisation" and self.contacts_mailbox not in {None, *self.mailboxes}:
            raise ValueError("contacts_mailbox: it is none of the mailboxes")

    def keeps(self, address: str) -> Keep:
        """What is kept of a mailbox."""
        named = {name.lower(): keep for name, keep in self.keep_of.items()}
        return named.get(address.lower(), self.keep)

    def is_own(self, address: str) -> bool:
        """Whether an address is of the tenant's own people: by its domain, a domain above that, or itself."""
        address = address.lower()
        domain = address.rpartition("@")[2]
        own = {name.lower().lstrip(".") for name in self.own_domains}
        return address in own or any(domain == name or domain.endswith(f".{name}") for name in own)
