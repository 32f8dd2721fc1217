"""Prices as people read them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vertex_vllm.catalog.prices import HourlyPrice


def monthly(price: "HourlyPrice") -> str:
    """US dollars a month, without cents: `730`, or `730 to 2190` where replicas scale."""
    from vertex_vllm.catalog.prices import HOURS_A_MONTH

    least, most = price.least * HOURS_A_MONTH, price.most * HOURS_A_MONTH
    return f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"
