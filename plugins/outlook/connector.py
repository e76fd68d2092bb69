"""Outlook: mail and meetings as interactions of the customers they concern, contacts as customers, both ways."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from plugins.outlook import acting, calendar, contacts, mail, mapping
from plugins.outlook.graph import API, Ctx, Graph, Mailbox, Positions, stamp
from plugins.outlook.settings import OutlookConfig
from tenure_sdk import (
    Account,
    Answer,
    Auth,
    BodySecret,
    Change,
    ClientCredentials,
    ConfigInvalid,
    Connector,
    ConnectorError,
    ContractViolation,
    CreateMeeting,
    CursorExpired,
    Customer,
    Delivery,
    EchoQuery,
    EmailSent,
    IdVersion,
    Interaction,
    Limit,
    MeetingCreated,
    NotFound,
    OAuth2,
    Page,
    Pushed,
    RateLimit,
    Record,
    RecordRejected,
    SendEmail,
    Signal,
    Subscription,
    Totals,
    Window,
    action,
    fetch,
    ids,
    lookup,
    push,
    stream,
    subscribe,
    tile,
    totals,
    webhook,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

LOGIN = "https://login.microsoftonline.com"
SCOPES = (
    "offline_access", "User.Read", "Mail.ReadWrite", "Mail.Send", "Calendars.ReadWrite", "Contacts.ReadWrite",
)  # fmt: skip

SUBSCRIPTION = timedelta(minutes=4_200)
"""How long Graph is asked to call: a little less than the 4,230 minutes that it allows at most."""

WATCHED = {"messages": "mail", "events": "calendar", "contacts": "contacts"}
"""What of a mailbox is subscribed to, and the stream that is read when it changes."""

_DEFAULT_SCOPE = "https://graph.microsoft.com/.default"

_FORGOTTEN = {"syncstatenotfound", "resyncrequired", "syncstateinvalid", "fullsyncrequired"}
_NOBODY = {"errorinvalididmalformed", "erroritemnotfound", "errorfoldernotfound", "errorinvaliduser"}
_NO_MAILBOX = {"mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi", "mailboxnothostedinexchangeonline"}
_UNFIT = {"errorinvalidrecipients", "errorpropertyvalidationfailure", "errorinvalidproperty"}


class Outlook(Connector[OutlookConfig]):
    """Mail, calendar and contacts of one mailbox, or of those that an administrator has opened."""

    key, title, version, category = "outlook", "Outlook", "1.0.0", "email"
    hosts = ("graph.microsoft.com",)
    rate = RateLimit(per_minute=1_000, concurrency=4)
    docs_url = "https://learn.microsoft.com/graph/auth-register-app-v2"
    icon = tile("O", "#0b7285")
    auth: ClassVar[Auth | None] = OAuth2(
        authorize_url=f"{LOGIN}/{{directory}}/oauth2/v2.0/authorize",
        token_url=f"{LOGIN}/{{directory}}/oauth2/v2.0/token",
        scopes=SCOPES,
        token_auth="post",  # noqa: S106 - how the client proves itself, no password
        extra_authorize={"prompt": "select_account"},
    )
    consent: ClassVar[Auth] = ClientCredentials(
        token_url=f"{LOGIN}/{{tenant}}/oauth2/v2.0/token",
        scopes=(_DEFAULT_SCOPE,),
        token_auth="post",  # noqa: S106 - how the client proves itself, no password
        consent_url=f"{LOGIN}/{{directory}}/adminconsent",
        callback_params=("tenant",),
    )

    def auth_for(self, config: OutlookConfig) -> Auth | None:
        """A person signs in for a mailbox, an administrator consents for an organisation."""
        return self.consent if config.access == "organisation" else self.auth

    def classify(self, answer: Answer) -> ConnectorError | None:
        """Graph's codes, where the status alone does not say what has to be done."""
        if answer.status < 400:
            return None
        code = _code(answer)
        told = f"Graph answered {answer.status} {code}"
        if answer.status == 410 or code.lower() in _FORGOTTEN:
            return CursorExpired(told)
        if code.lower() in _NO_MAILBOX:
            return ConfigInvalid("A mailbox is not in Exchange Online.", key="mailboxes")
        if code.lower() in _NOBODY:
            return NotFound(told)
        if code.lower() in _UNFIT:
            return RecordRejected(None, told)
        return ContractViolation(told) if answer.status == 400 else None

    async def check(self, ctx: Ctx) -> Account:
        """The mailbox, or the directory whose mailboxes are listed. Raises ConfigInvalid for one out of reach."""
        boxes = await Graph(ctx).mailboxes()
        contacts.home(boxes, ctx.config.contacts_mailbox)
        if ctx.config.access == "mailbox":
            return Account(boxes[0].user, boxes[0].address)
        directory = ctx.callback.get("tenant") or ctx.account
        if not directory:
            raise ConfigInvalid("The administrator's consent did not say for which directory it is.", key="access")
        return Account(directory, f"{len(boxes)} mailboxes of {boxes[0].address.rpartition('@')[2]}")

    # Contacts first: what concerns nobody who is known is left out.
    @stream(Interaction, cursor="delta link of each folder", deletes="inline", title="Mail", depends_on=("contacts",))
    async def mail(self, ctx: Ctx, cursor: Any) -> AsyncIterator[Page]:
        """Mail with people outside, of every folder but drafts, junk and deleted items."""
        graph, positions = Graph(ctx), Positions(cursor)
        boxes = await graph.mailboxes()
        positions.keep([box.user for box in boxes])
        for box in boxes:
            async for page in mail.Reading(graph, box, positions).pages():
                yield page

    @stream(Interaction, cursor="delta link of a window", deletes="inline", title="Calendar", depends_on=("contacts",))
    async def calendar(self, ctx: Ctx, cursor: Any) -> AsyncIterator[Page]:
        """Meetings with people outside, each occurrence of a series, but nothing that is marked private."""
        graph, positions = Graph(ctx), Positions(cursor)
        boxes = await graph.mailboxes()
        positions.keep([box.user for box in boxes])
        for box in boxes:
            async for page in calendar.Reading(graph, box, positions).pages():
                yield page

    @stream(Customer, cursor="delta link of each folder", deletes="inline", title="Contacts")
    async def contacts(self, ctx: Ctx, cursor: Any) -> AsyncIterator[Page]:
        """The contacts of every folder, but not the tenant's own people."""
        graph, positions = Graph(ctx), Positions(cursor)
        boxes = await graph.mailboxes()
        positions.keep([box.user for box in boxes])
        for box in boxes:
            async for page in contacts.pages(graph, box, positions):
                yield page

    @fetch(Interaction)
    async def interactions_by_id(self, ctx: Ctx, wanted: Sequence[str]) -> list[Interaction]:
        """Messages and events; what must not be kept is left out, as what is gone is."""
        graph, found = Graph(ctx), list[Any]()
        for box in await graph.mailboxes():
            items = _items(wanted, box, "messages")
            if items:
                reading = mail.Reading(graph, box, Positions(None))
                reading.tree = await mail.tree(graph, box)
                found += reading.sorted_out(await mail.looked_up(graph, box, items))[0]
            events = calendar.Reading(graph, box, Positions(None))
            found += (await events.sorted_out(await events.looked_up(_items(wanted, box, "events"))))[0]
        return found

    @fetch(Customer)
    async def contacts_by_id(self, ctx: Ctx, wanted: Sequence[str]) -> list[Customer]:
        """Contacts; the tenant's own people are left out."""
        graph, found = Graph(ctx), list[Any]()
        for box in await graph.mailboxes():
            rows = await contacts.looked_up(graph, box, _items(wanted, box, "contacts"))
            found += contacts.sorted_out(graph, box, rows)[0]
        return found

    @push(
        Customer,
        fields={
            "name": Limit(max_len=255, required=True),
            "emails": Limit(most=mapping.EMAILS, max_len=320),
            "phones": Limit(most=mapping.PHONES, max_len=64),
            "addresses": Limit(most=mapping.ADDRESSES),
        },
        ops={"create", "update", "delete"},
    )
    async def write_contact(self, ctx: Ctx, change: Change) -> Pushed:
        """Contacts, by their etag: a Conflict where somebody changed one meanwhile."""
        graph = Graph(ctx)
        boxes = await graph.mailboxes()
        if change.op == "create":
            return await contacts.push(graph, contacts.home(boxes, ctx.config.contacts_mailbox), None, change)
        for box in boxes:
            for item in _items([change.remote_id or ""], box, "contacts"):
                return await contacts.push(graph, box, item, change)
        raise NotFound("The contact is in none of the mailboxes.")

    @lookup(Customer)
    async def find_contact(self, ctx: Ctx, change: Change) -> Pushed | None:
        """By the property that a new contact is given."""
        graph = Graph(ctx)
        return await contacts.made_by(
            graph, contacts.home(await graph.mailboxes(), ctx.config.contacts_mailbox), change
        )

    @action("send_email", SendEmail, EmailSent, idempotent=True)
    async def send_email(self, ctx: Ctx, given: SendEmail, key: str) -> EmailSent:
        """As a draft that is sent, so that the mail has an id from the start and is never sent twice."""
        graph = Graph(ctx)
        return await acting.send_email(graph, acting.whose(await graph.mailboxes(), given.sender), given, key)

    @action("create_meeting", CreateMeeting, MeetingCreated, idempotent=True)
    async def create_meeting(self, ctx: Ctx, given: CreateMeeting, key: str) -> MeetingCreated:
        """An event that its attendees are invited to."""
        graph = Graph(ctx)
        return await acting.create_meeting(graph, acting.whose(await graph.mailboxes(), given.organizer), given, key)

    @action("change_meeting", acting.ChangeMeeting, acting.MeetingKept, idempotent=True)
    async def change_meeting(self, ctx: Ctx, given: acting.ChangeMeeting, key: str) -> acting.MeetingKept:  # noqa: ARG002 - the same twice is the same
        """A meeting as it shall be, by its etag: what others change of it at the same time is kept."""
        graph = Graph(ctx)
        box, item = await _meeting(graph, given.id)
        return await acting.change_meeting(graph, box, item, given)

    @action("cancel_meeting", acting.CancelMeeting, acting.MeetingKept, idempotent=True)
    async def cancel_meeting(self, ctx: Ctx, given: acting.CancelMeeting, key: str) -> acting.MeetingKept:  # noqa: ARG002 - gone is gone
        """A meeting that shall not take place; who was invited hears of it from Outlook."""
        graph = Graph(ctx)
        box, item = await _meeting(graph, given.id)
        return await acting.cancel_meeting(graph, box, item, given)

    @ids("mail")
    async def mail_ids(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """The mail of every folder that is read."""
        graph = Graph(ctx)
        for box in await graph.mailboxes():
            async for records in mail.Reading(graph, box, Positions(None)).listed():
                yield _versions(records)

    @ids("calendar")
    async def meeting_ids(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """The meetings of the window."""
        graph = Graph(ctx)
        for box in await graph.mailboxes():
            async for records in calendar.Reading(graph, box, Positions(None)).listed():
                yield _versions(records)

    @totals("mail")
    async def count_mail(self, ctx: Ctx, window: Window | None = None) -> Totals:  # noqa: ARG002 - it is the context's
        """How many mails there are of those that are kept: Graph's own counts have all others among them."""
        return Totals(sum([len(page) async for page in self.mail_ids(ctx)]))

    @totals("calendar")
    async def count_meetings(self, ctx: Ctx, window: Window | None = None) -> Totals:  # noqa: ARG002 - as above
        """How many meetings of the window are kept."""
        return Totals(sum([len(page) async for page in self.meeting_ids(ctx)]))

    @ids("contacts")
    async def contact_ids(self, ctx: Ctx) -> AsyncIterator[list[IdVersion]]:
        """The contacts of every folder."""
        graph = Graph(ctx)
        for box in await graph.mailboxes():
            for path in (await contacts.paths(graph, box)).values():
                async for rows in graph.listed(path, contacts.PAGE, select="emailAddresses"):
                    yield _versions(contacts.sorted_out(graph, box, rows).records)

    @totals("contacts")
    async def count_contacts(self, ctx: Ctx, window: Window | None = None) -> Totals:  # noqa: ARG002 - no time of theirs
        """How many contacts there are; Graph's own count has the tenant's people among them."""
        return Totals(sum([len(page) async for page in self.contact_ids(ctx)]))

    @subscribe
    async def have_it_call(
        self, ctx: Ctx, callback_url: str | None, secret: str, current: Sequence[Subscription]
    ) -> list[Subscription]:
        """Mail, events and contacts of each mailbox; whenever it is asked, every promise is renewed or made anew."""
        graph = Graph(ctx)
        if callback_url is None:
            for each in current:
                with suppress(NotFound):
                    await graph.send("DELETE", f"{API}/subscriptions/{each.id}")
            return []
        wanted = {
            f"{box.path.removeprefix(f'{API}/')}/{kind}": kind for box in await graph.mailboxes() for kind in WATCHED
        }
        known = {each.resource: each for each in current}
        for resource in known.keys() - wanted.keys():
            with suppress(NotFound):
                await graph.send("DELETE", f"{API}/subscriptions/{known[resource].id}")
        return [await _promised(graph, resource, known.get(resource), callback_url, secret) for resource in wanted]

    @webhook(BodySecret("value", "clientState"), challenge=EchoQuery("validationToken"), path="events")
    def called(self, delivery: Delivery) -> list[Signal]:
        """Which streams are to be read: a notification is a hint, and may be late, twice or out of order."""
        return list(dict.fromkeys(signal for each in _notifications(delivery) for signal in _signals(each)))


async def _meeting(graph: Graph, record_id: str) -> tuple[Mailbox, str]:
    """In which mailbox a meeting is, and which item of it. Raises NotFound."""
    for box in await graph.mailboxes():
        for item in _items([record_id], box, "events"):
            return box, item
    raise NotFound("The meeting is in none of the mailboxes.")


def _versions(records: Sequence[Record]) -> list[IdVersion]:
    return [IdVersion(record.id, record.version) for record in records]


async def _promised(
    graph: Graph, resource: str, known: Subscription | None, callback_url: str, secret: str
) -> Subscription:
    """A subscription that lives on, or a new one."""
    until = {"expirationDateTime": stamp(graph.ctx.now() + SUBSCRIPTION)}
    if known is not None:
        with suppress(NotFound):
            row = await graph.send("PATCH", f"{API}/subscriptions/{known.id}", until, idempotent=True)
            return _subscription(row, resource)
    asked = {
        "changeType": "created,updated,deleted",
        "notificationUrl": callback_url,
        "lifecycleNotificationUrl": callback_url,
        "resource": resource,
        "clientState": secret,
        **until,
    }
    return _subscription(await graph.send("POST", f"{API}/subscriptions", asked), resource)


def _subscription(row: dict[str, Any], resource: str) -> Subscription:
    return Subscription(row["id"], resource, mapping.moment(row["expirationDateTime"]))


def _notifications(delivery: Delivery) -> Iterator[dict[str, Any]]:
    body = delivery.json()
    entries = body.get("value") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry


def _signals(entry: dict[str, Any]) -> Iterator[Signal]:
    """What one notification says; `reauthorizationRequired`, `subscriptionRemoved` and `missed` concern all streams."""
    event = entry.get("lifecycleEvent")
    if event in {"reauthorizationRequired", "subscriptionRemoved", "missed"}:
        for name in WATCHED.values():
            yield Signal(name, renew=event != "missed")
        return
    parts = str(entry.get("resource") or "").lower().split("/")
    for kind, name in WATCHED.items():
        if event is None and kind in parts:
            told = entry.get("id")
            yield Signal(name, event=told if isinstance(told, str) else None)


def _items(wanted: Sequence[str], box: Mailbox, kind: str) -> list[str]:
    """The items of one kind and mailbox among the ids of records."""
    prefix = box.record_id(kind, "")
    return [each.removeprefix(prefix) for each in wanted if each.startswith(prefix)]


def _code(answer: Answer) -> str:
    """The code in Graph's error envelope, which says nothing about anybody; its message may."""
    try:
        found = answer.json()
    except ConnectorError:
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    return str(error.get("code") or "") if isinstance(error, dict) else ""
