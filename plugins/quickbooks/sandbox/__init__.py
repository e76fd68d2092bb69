"""A stand-in for QuickBooks Online: the company API, OAuth and webhooks, in memory.

One ASGI app for all of the vendor's hosts, told apart by path: it answers in process, over plain HTTP on 127.0.0.1, and
over TLS under the vendor's own names. What the vendor refuses, it refuses in the vendor's words; what it does not keep,
it refuses too: an unknown endpoint, parameter, entity or property never gets a 200.

    sandbox = QuickBooksSandbox()
    sandbox.fill("9130", customers=100)
    tokens = sandbox.tokens_for("9130")
    sandbox.company("9130").edit("Customer", "7", Notes="Prefers to be called")

Kept: Customer, Item, Invoice, Payment, CreditMemo, SalesReceipt and RefundReceipt, with their arithmetic; Account and
CompanyInfo can be read. Notifications are sent by `deliver`, to `webhooks.url` in `webhooks.format`; nothing is
announced while no address is set. `faults` has a switch for everything that goes wrong; `throttling` has the limits,
and `lift`s them for measurements.

UNVERIFIED, that is, not found in a document of the vendor and chosen so that a connector has it rather too hard:

- Pages: 100 rows by default; without ORDERBY they come in order of id; at most 1,000, more is refused; `SELECT Id, ...`
  answers whole objects; comparisons are exact, and so are duplicate names; a count of nothing is `totalCount` 0.
- The bodies and types of 401, 403, 404, 406 and 429, the codes 2010, 2050, 4000, 4001 and 6070 where the list of codes
  does not name them, and every Detail. Without `Accept: application/json` the vendor would answer XML; here it is 406.
  PKCE is checked when the authorize page was given a challenge. No id_token is issued.
- A repeated `requestid` is answered with the first successful answer; for another request it is refused with 600. It
  has at most 50 characters.
- CDC cuts its answer at 1,000 objects over all entities in the order asked for, the earliest changes first, without
  telling; a customer that was merged away counts as deleted.
- Applying a payment raises the invoice's SyncToken; a customer's balance moves its LastUpdatedTime, not its SyncToken,
  and is not announced. Deleting a paid invoice unapplies its payments; deleting an applied credit memo is refused, and
  so is voiding what payments are applied to. Merging raises the SyncToken of the documents that move.
- Refresh tokens: the previous value dies 24 hours after a rotation (`authorizations.grace`), rotation happens at the
  first use after 24 hours (or at every use, by `authorizations.rotate_on_every_call`).
- CloudEvents: the verbs but `created`, and `deletedId` inside `data` for a merge. One notification gathers all changes
  since the last one, of all companies; the next one waits until it is taken.
- No taxes are calculated: a tax amount is what the request says. One currency. DocNumber is unique per entity.
"""

from plugins.quickbooks.sandbox.company import Change, Company
from plugins.quickbooks.sandbox.faults import Call, Faults
from plugins.quickbooks.sandbox.refusals import Refused
from plugins.quickbooks.sandbox.vendor import QuickBooksSandbox
from plugins.quickbooks.sandbox.webhooks import RETRIES, Delivery, signature

__all__ = ["RETRIES", "Call", "Change", "Company", "Delivery", "Faults", "QuickBooksSandbox", "Refused", "signature"]
