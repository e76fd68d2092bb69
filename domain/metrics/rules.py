"""What metrics decide: their kinds and units, why a value is missing, and which windows can be asked for."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """What a metric is measured in."""

    DAYS = "DAYS"
    PER_YEAR = "PER_YEAR"
    UNITS = "UNITS"
    MONEY = "MONEY"
    COUNT = "COUNT"
    RATIO = "RATIO"
    SCORE = "SCORE"
    MINUTES = "MINUTES"


class Kind(StrEnum):
    """How a metric is made of its parts."""

    TOTAL = "TOTAL"
    COUNT = "COUNT"
    RATIO = "RATIO"
    MEAN = "MEAN"
    MEDIAN = "MEDIAN"


class Better(StrEnum):
    """Which way is better."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"


class Grain(StrEnum):
    """How long each point of a series is."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"


class ScopeKind(StrEnum):
    """Of whom a value is."""

    TENANT = "TENANT"
    SEGMENT = "SEGMENT"
    STAGE = "STAGE"
    CUSTOMER = "CUSTOMER"
