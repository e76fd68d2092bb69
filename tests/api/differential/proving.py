"""Resolvers of what is proved of customers: cases, scores, opinions, referrals, and what campaigns led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.differential.amounts import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row

_OF_CUSTOMER = {
    "cases": ("Case", "cases"),
    "surveyResponses": ("SurveyResponse", "survey_responses"),
    "reviews": ("Review", "reviews"),
    "socialMentions": ("SocialMention", "social_mentions"),
    "referrals": ("Referral", "referrals"),
    "campaignResponses": ("CampaignResponse", "campaign_responses"),
}
"""By field of a customer: the type of its rows, and where they are."""


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""

    def page(row: Row, type_: str, table: str, asked: Row) -> Row:
        return naive.page(type_, naive.members(table, row, type_=type_), asked)

    on(
        "Customer",
        **{
            field: lambda row, _type=type_, _table=table, **asked: page(row, _type, _table, asked)
            for field, (type_, table) in _OF_CUSTOMER.items()
        },
    )
    for type_, _ in _OF_CUSTOMER.values():
        on(type_, customer=lambda row: naive.customer(row["customer_id"]))
    for type_ in ("SurveyResponse", "Review", "SocialMention", "Referral"):
        on(
            type_,
            interaction=lambda row: next((each for each in naive.interactions() if each["id"] == row["id"]), None),
        )
    on("Case", key=lambda row: row["case_key"], cost=lambda row: money(row["cost"], row["currency"]))
    on("Referral", referred=lambda row: naive.customer(row["referred_id"]))
    on("CampaignResponse", campaign=lambda row: row["campaign_key"])
