"""What interactions prove over GraphQL: cases, survey answers, reviews, referrals, mentions, responses to campaigns."""

from typing import Any

from api.expose import Node, amount, column, describe, expose, many, one, page_of
from api.reads.mapping import Order
from api.survivors import survivor
from domain.interactions import model

SCOPE = "customers:read"

describe(
    model.SurveyMeasure,
    NPS="How likely one is to recommend the business, 0 to 10.",
    CSAT="How satisfied one is.",
    CES="How easy it was.",
    OTHER="Something else.",
)


def _whose(words: str) -> dict[str, Any]:
    return {"customer": one("customers.Customer", survivor("{p}.customer_id"), null=False, description=words)}


def _told_by_one(words: str) -> dict[str, Any]:
    """The fields that everything has that one interaction gave."""
    told = "interactions {t} where {t}.tenant_id = $1 and {t}.id = {p}.id and {t}.superseded_at is null"
    return {
        **_whose(words),
        "occurred_at": column(),
        "interaction": one("interactions.Interaction", told, description="The interaction that tells it."),
    }


@expose(model.Case, prefix="cas", scope=SCOPE, also=_whose("Whose case it is."))
class Case(Node):
    """A support case, from all its steps. One that was opened again is resolved only once it is resolved again."""

    key = column(str, sql="{t}.case_key", description="What the other side calls it.")
    title = column()
    priority = column()
    opened_at = column()
    answered_at = column()
    resolved_at = column()
    reopened = column()
    answer_minutes = column()
    resolution_minutes = column()
    cost = amount("{t}.cost", "{t}.currency", description="What it cost, as last told; null when not known.")


@expose(model.SurveyResponse, prefix="srv", scope=SCOPE, also=_told_by_one("Who answered."))
class SurveyResponse(Node):
    """A score that a customer gave in a survey."""

    survey = column()
    measure = column(model.SurveyMeasure)
    score = column()
    out_of = column()


@expose(model.Review, prefix="rvw", scope=SCOPE, also=_told_by_one("Who wrote it."))
class Review(Node):
    """A review that a customer wrote."""

    site = column()
    rating = column()
    out_of = column()
    is_positive = column()


@expose(model.SocialMention, prefix="smn", scope=SCOPE, also=_told_by_one("Who spoke."))
class SocialMention(Node):
    """A customer spoke of the business in social media."""

    site = column()
    rating = column()
    out_of = column()
    is_positive = column()


@expose(model.Referral, prefix="rfl", scope=SCOPE, also=_told_by_one("Who recommended."))
class Referral(Node):
    """A recommendation by a customer to somebody else."""

    referred = one(
        "customers.Customer", survivor("{p}.referred_id"),
        description="Who was referred; null while nobody here is known to be.",
    )  # fmt: skip
    is_self = column()
    converted_at = column()


@expose(model.CampaignResponse, scope=SCOPE, also=_whose("Whom the campaign reached."))
class CampaignResponse:
    """What a campaign that reached a customer led to. A click, a reply or a redemption is a response; that somebody
    opened a mail is none.
    """

    campaign = column(str, sql="{t}.campaign_key", description="The key of the campaign.")
    delivered_at = column()
    deliveries = column()
    raw_at = column()
    human_at = column()
    raw_responses = column()
    human_responses = column()


CaseConnection = page_of(Case, "cases")
SurveyResponseConnection = page_of(SurveyResponse, "survey responses")
ReviewConnection = page_of(Review, "reviews")
SocialMentionConnection = page_of(SocialMention, "social mentions")
ReferralConnection = page_of(Referral, "referrals")
CampaignResponseConnection = page_of(CampaignResponse, "campaign responses")


def _of_customer(target: str, table: str, description: str, at: str = "OCCURRED_AT") -> Any:
    """A page of a customer's own rows, the latest first."""
    return many(
        f"evidence.{target}", f"{table} {{t}} where {{t}}.tenant_id = $1", keys="{p}.member_ids", link="customer_id",
        orders={at: Order(f"{{t}}.{at.lower()}"), "ID": Order("{t}.id", "id")}, default=((at, True),), scope=SCOPE,
        description=description,
    )  # fmt: skip


def of_customer() -> dict[str, Any]:
    """The fields of a customer that show what is proved of them."""
    return {
        "cases": _of_customer("Case", "cases", "Support cases, the latest first.", "OPENED_AT"),
        "survey_responses": _of_customer("SurveyResponse", "survey_responses", "Scores given, the latest first."),
        "reviews": _of_customer("Review", "reviews", "Reviews written, the latest first."),
        "social_mentions": _of_customer("SocialMention", "social_mentions", "Mentions in social media, latest first."),
        "referrals": _of_customer("Referral", "referrals", "Whom the customer recommended us to, the latest first."),
        "campaign_responses": many(
            "evidence.CampaignResponse", "campaign_responses {t} where {t}.tenant_id = $1", keys="{p}.member_ids",
            link="customer_id", orders={"ID": Order("{t}.campaign_key", "text")}, default=(("ID", False),),
            scope=SCOPE, description="The campaigns that reached the customer and what they led to, by key.",
        ),
    }  # fmt: skip
