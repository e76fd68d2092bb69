"""A sandbox of Microsoft Graph v1.0 for Outlook: mail, calendar, contacts, subscriptions, and the login host.

It is one ASGI app for both hosts, told apart by path, so it works in process, over HTTP on this machine, or over TLS
under the vendor's own names. Links in answers are absolute under https://graph.microsoft.com, whatever address was
used. What is not offered is refused as Graph refuses it; nothing unknown answers 200.

What a reader must know:

- The sandbox keeps one calendar for each mailbox and knows no attachments, no rules, no replies by endpoint
  (`createReply`), no `$search`, no delta ordered by `$orderby`, and of filters those in `odata.py`.
- A delta of messages tells a move as removed in one folder and added in the other. Removed entries always say
  `deleted`.
- `DELETE` on a message moves it to Deleted Items; there, it deletes for good. Contacts and events go at once.
- In process a dropped reply raises `RemoteProtocolError`, as a broken connection does; the write stands.
- The clock is injected: tokens, subscriptions, throttling and retries of notifications go by it.

UNVERIFIED, so no client may rely on it: the longest life of a subscription (4,230 minutes), the 20 of a batch, the page
size of deltas, that both forms of id are read without `Prefer`, `@removed`'s reason for moves, the answer to a repeated
`transactionId`, the wording of errors and the codes `ErrorInvalidUrlQuery`, `ErrorInvalidUrlQueryFilter`,
`ErrorInvalidSyncStateData`, `ValidationError`, `TimeZoneNotSupportedException`, `ErrorInvalidPropertySet`,
`ErrorCalendarEndDateIsEarlierThanStartDate` and `InvalidInternetMessageHeader`, the times at which notifications are
sent again, and that they are held back until a subscription is reauthorised. Each module says what else is.
"""

from __future__ import annotations

from plugins.outlook.sandbox.application import OutlookSandbox
from plugins.outlook.sandbox.mailbox import Mailbox

__all__ = ["Mailbox", "OutlookSandbox"]
