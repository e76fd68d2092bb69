"""Run by the Python of `make judge-graph`: Microsoft's own Graph SDK, unchanged, against the Outlook sandbox.

The brief has the token of a mailbox with five mails in its inbox and one contact.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from azure.core.credentials import AccessToken
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.models.attendee import Attendee
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.contact import Contact
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.message import Message
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.users.item.calendar_view.delta.delta_request_builder import DeltaRequestBuilder as ViewDelta
from msgraph.generated.users.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody

sys.path.insert(0, str(Path(__file__).parent))
from courtroom import hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

IMMUTABLE = 'IdType="ImmutableId"'
KIM = EmailAddress(name="Kim Lee", address="kim@customer.example")


class Credential:
    """Gives the token of the brief."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


def asked(brief: dict[str, Any], scenario: Callable[[GraphServiceClient], Awaitable[None]]) -> None:
    """Run a scenario with a client; anyio takes no port from the resolver, so it is led to the sandbox here."""
    connect = anyio.connect_tcp

    async def led(remote_host: Any, remote_port: Any, **options: Any) -> Any:
        if remote_host in brief["hosts"]:
            remote_host, remote_port = brief["address"]
        return await connect(remote_host, remote_port, **options)

    async def run() -> None:
        scopes = ["https://graph.microsoft.com/.default"]
        await scenario(GraphServiceClient(credentials=Credential(brief["token"]), scopes=scopes))

    anyio.connect_tcp = led  # type: ignore[assignment]
    try:
        asyncio.run(run())
    finally:
        anyio.connect_tcp = connect


def judges_listing_of_messages_page_by_page(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        query = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(top=2, select=["subject", "from"])
        page = await client.me.messages.get(request_configuration=RequestConfiguration(query_parameters=query))
        subjects = [each.subject for each in page.value]
        while page.odata_next_link:
            page = await client.me.messages.with_url(page.odata_next_link).get()
            subjects += [each.subject for each in page.value]
        assert sorted(subjects) == [f"Mail {number}" for number in range(5)], subjects

    asked(brief, scenario)


def judges_delta_of_a_folder(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        delta = client.me.mail_folders.by_mail_folder_id("inbox").messages.delta
        config: RequestConfiguration[Any] = RequestConfiguration()
        config.headers.add("Prefer", f"{IMMUTABLE}, odata.maxpagesize=2")
        page = await delta.get(request_configuration=config)
        found = [each.subject for each in page.value]
        while page.odata_next_link:
            page = await delta.with_url(page.odata_next_link).get(request_configuration=config)
            found += [each.subject for each in page.value]
        assert found == [f"Mail {number}" for number in range(5)], found
        again = await delta.with_url(page.odata_delta_link).get(request_configuration=config)
        assert (again.value, bool(again.odata_delta_link)) == ([], True)

    asked(brief, scenario)


def judges_folders(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        found = (await client.me.mail_folders.get()).value
        inbox = next(each for each in found if each.display_name == "Inbox")
        assert (inbox.total_item_count, inbox.child_folder_count) == (5, 0)

    asked(brief, scenario)


def judges_contact_created_changed_and_refused(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        made = await client.me.contacts.post(Contact(given_name="Bo", surname="Ray", email_addresses=[KIM]))
        assert (made.display_name, made.email_addresses[0].address) == ("Bo Ray", "kim@customer.example")
        one = client.me.contacts.by_contact_id(made.id)
        config: RequestConfiguration[Any] = RequestConfiguration()
        config.headers.add("If-Match", made.additional_data["@odata.etag"])
        changed = await one.patch(Contact(job_title="Buyer"), request_configuration=config)
        assert (changed.job_title, changed.display_name) == ("Buyer", "Bo Ray")
        try:
            await one.patch(Contact(job_title="CEO"), request_configuration=config)
        except ODataError as error:
            assert (error.response_status_code, error.error.code) == (412, "ErrorIrresolvableConflict")  # noqa: PT017
        else:
            raise AssertionError("a stale version was taken")
        await one.delete()

    asked(brief, scenario)


def judges_draft_and_send(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        config: RequestConfiguration[Any] = RequestConfiguration()
        config.headers.add("Prefer", IMMUTABLE)
        body = ItemBody(content_type=BodyType.Html, content="<p>Hello</p>")
        message = Message(subject="Sent by the SDK", body=body, to_recipients=[Recipient(email_address=KIM)])
        draft = await client.me.messages.post(message, request_configuration=config)
        assert draft.is_draft is True
        one = client.me.messages.by_message_id(draft.id)
        await one.send.post(request_configuration=config)
        sent = await one.get(request_configuration=config)
        assert (sent.id, sent.is_draft, sent.subject) == (draft.id, False, "Sent by the SDK")
        await client.me.send_mail.post(SendMailPostRequestBody(message=message, save_to_sent_items=False))

    asked(brief, scenario)


def judges_event_and_delta_of_a_view(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        event = Event(
            subject="Review",
            start=DateTimeTimeZone(date_time="2026-11-25T12:00:00", time_zone="UTC"),
            end=DateTimeTimeZone(date_time="2026-11-25T13:00:00", time_zone="UTC"),
            attendees=[Attendee(email_address=KIM)],
            transaction_id="4f8b2c1e-6c2b-4a57-9a29-0d9a3a3f5b61",
        )
        first, second = await client.me.events.post(event), await client.me.events.post(event)
        assert first.id == second.id
        query = ViewDelta.DeltaRequestBuilderGetQueryParameters(
            start_date_time="2026-11-01T00:00:00Z", end_date_time="2026-12-01T00:00:00Z"
        )
        config = RequestConfiguration(query_parameters=query)
        page = await client.me.calendar_view.delta.get(request_configuration=config)
        assert [each.subject for each in page.value] == ["Review"]

    asked(brief, scenario)


def judges_refusal_of_what_is_not_there(brief: dict[str, Any]) -> None:
    async def scenario(client: GraphServiceClient) -> None:
        try:
            await client.me.messages.by_message_id("nonsense").get()
        except ODataError as error:
            assert (error.response_status_code, error.error.code) == (400, "ErrorInvalidIdMalformed")  # noqa: PT017
        else:
            raise AssertionError("a message that is not there was found")

    asked(brief, scenario)


hold(globals())
