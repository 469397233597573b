"""The endpoint that the settings name, and its prices."""

from decimal import Decimal

import pytest

from chat import ChatRefused, Endpoint, Price, configured, price_of, why_not

TABLE = {
    "big": (Decimal("2.5"), Decimal(10), Decimal("1.25")),
    "big-*": (Decimal(1), Decimal(2)),
    "big-mini*": (Decimal("0.1"), Decimal("0.4")),
}


def test_without_address_or_model_nobody_is_asked(settings):
    settings.CHAT_BASE_URL, settings.CHAT_MODEL = "", ""
    assert why_not() == "No model is set up: CHAT_BASE_URL and CHAT_MODEL must be set."
    settings.CHAT_BASE_URL = "https://api.example/v1"
    assert why_not() == "No model is set up: CHAT_MODEL must be set."
    with pytest.raises(ChatRefused, match="CHAT_MODEL must be set"):
        configured()


def test_the_settings_make_the_endpoint(settings):
    settings.CHAT_BASE_URL, settings.CHAT_MODEL, settings.CHAT_API_KEY = (
        "https://api.example/v1/",
        "big",
        "sk-1",
    )
    settings.CHAT_PRICES = TABLE
    assert why_not() == ""
    assert configured() == Endpoint(
        base_url="https://api.example/v1/",
        model="big",
        api_key="sk-1",
        price=Price(Decimal("2.5"), Decimal(10), Decimal("1.25")),
    )
    assert configured().url == "https://api.example/v1/chat/completions"
    assert "sk-1" not in repr(configured())


@pytest.mark.parametrize(
    ("model", "amount"),
    [("big", "2.5"), ("big-2026", "1"), ("big-mini-2026", "0.1"), ("bigger", None), ("small", None)],
)
def test_the_closest_name_in_the_table_counts(model, amount):
    price = price_of(model, TABLE)
    assert price is None if amount is None else price is not None and price.tokens_in == Decimal(amount)
