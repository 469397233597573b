"""What an answer costs."""

from decimal import Decimal

from pydantic import TypeAdapter

from chat.usage import Price, Usage


def test_a_cost_is_reckoned_by_million_and_exact_to_a_billionth():
    price = Price(tokens_in=Decimal("0.15"), tokens_out=Decimal("0.60"))
    assert price.of(1_000_000, 1_000_000) == Decimal("0.75")
    assert price.of(1, 0) == Decimal("0.000000150")
    assert Price(tokens_in=Decimal("0.0375"), tokens_out=Decimal(0)).of(1, 0) == Decimal("0.000000038")


def test_cached_tokens_have_their_own_price_where_one_is_known():
    plain = Price(tokens_in=Decimal(2), tokens_out=Decimal(8))
    cheaper = Price(tokens_in=Decimal(2), tokens_out=Decimal(8), tokens_cached=Decimal("0.5"))
    assert plain.of(1000, 100, 600) == Decimal("0.0028")
    assert cheaper.of(1000, 100, 600) == Decimal("0.0019")


def test_usages_of_a_step_add_up_and_keep_their_doubts():
    price = Price(tokens_in=Decimal(1), tokens_out=Decimal(1))
    first = Usage("m", 10, 20, Decimal("0.00003"), 1.5, 4, price, is_estimated=True, calls=1)
    second = Usage("m", 1, 2, Decimal("0.000003"), 0.5, 0, price, is_doubtful=True, calls=1)
    assert Usage() + first == first
    assert first + second == Usage("m", 11, 22, Decimal("0.000033"), 2.0, 4, price, True, True, 2)


def test_a_usage_can_be_stored_as_json():
    adapter = TypeAdapter(Usage)
    usage = Usage("m", 3, 4, Decimal("0.00001"), 0.5, 1, Price(Decimal("1.5"), Decimal(6)), calls=1)
    assert adapter.validate_json(adapter.dump_json(usage)) == usage
