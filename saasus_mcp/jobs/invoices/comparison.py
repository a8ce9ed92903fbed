"""The comparison of invoices with the amounts that another system charged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from saasus_mcp.jobs.invoices.invoice import Invoice
from saasus_mcp.jobs.invoices.listed_amounts import ListedAmount
from saasus_mcp.jobs.invoices.money import round_amount
from saasus_mcp.jobs.name_index import NameIndex, UnknownName

CUSTOMER_PREFIX = "cus_"
"""Of customer ids of Stripe."""
Basis = Literal["total", "subtotal"]
Verdict = Literal["equal", "different", "only_estimated", "only_listed", "not_calculated", "unknown_tenant"]


@dataclass(frozen=True, slots=True)
class ComparedAmount:
    """The amounts of one tenant in one currency.

    Attributes:
        tenant: its id; the text of the list if no tenant, or several, are called so.
        estimated, listed: None if there is no amount.
    """

    tenant: str
    currency: str
    estimated: Decimal | None
    listed: Decimal | None
    verdict: Verdict

    @property
    def difference(self) -> Decimal | None:
        """What the list has more than the estimate."""
        if self.verdict in ("not_calculated", "unknown_tenant"):
            return None
        exact = Fraction(self.listed or 0) - Fraction(self.estimated or 0)
        return round_amount(exact, self.currency)


def needs_customers(listed: Sequence[ListedAmount]) -> bool:
    """Return whether the list names tenants by their customer ids of Stripe."""
    return any(each.tenant.startswith(CUSTOMER_PREFIX) for each in listed)


def compare_amounts(
    invoices: Sequence[Invoice],
    listed: Sequence[ListedAmount],
    names: Mapping[str, str],
    customers: Mapping[str, str],
    basis: Basis,
) -> list[ComparedAmount]:
    """Compare amounts by tenant and currency. Several lines of a tenant are added up; no line is as good as a zero.

    Args:
        names: the names of all tenants, by id.
        customers: the ids of tenants, by customer id of Stripe.
    """
    ours = {(each.tenant_id, each.currency): each for each in invoices}
    index = NameIndex("tenant", {id_: [name] for id_, name in names.items()})
    sums: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    unknown: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for each in listed:
        tenant = _find_tenant(each.tenant, index, customers)
        currency = each.currency or _only_currency(tenant, invoices)
        if tenant:
            sums[tenant, currency] += Fraction(each.amount)
        else:
            unknown[each.tenant, currency] += Fraction(each.amount)
    return [
        *_compare(ours, sums, basis),
        *(ComparedAmount(*key, None, round_amount(each, key[1]), "unknown_tenant") for key, each in unknown.items()),
    ]


def _compare(
    ours: Mapping[tuple[str, str], Invoice], sums: Mapping[tuple[str, str], Fraction], basis: Basis
) -> Iterator[ComparedAmount]:
    for key in dict.fromkeys([*ours, *sums]):
        invoice, theirs = ours.get(key), sums.get(key)
        listed = None if theirs is None else round_amount(theirs, key[1])
        if invoice is None:
            yield ComparedAmount(*key, None, listed, "only_listed" if theirs else "equal")
        elif not invoice.is_complete:
            yield ComparedAmount(*key, None, listed, "not_calculated")
        else:
            estimated = invoice.total if basis == "total" else invoice.subtotal
            yield ComparedAmount(*key, estimated, listed, _verdict(Fraction(estimated), theirs))


def _verdict(estimated: Fraction, listed: Fraction | None) -> Verdict:
    if listed is None:
        return "only_estimated" if estimated else "equal"
    return "equal" if estimated == listed else "different"


def _find_tenant(text: str, index: NameIndex[str], customers: Mapping[str, str]) -> str:
    """Return the id of the tenant that a list names; empty if it is not one tenant."""
    try:
        return customers.get(text) or index.resolve(text)
    except UnknownName:
        return ""


def _only_currency(tenant: str, invoices: Sequence[Invoice]) -> str:
    """Return the currency of a tenant whose list does not say it."""
    currencies = {each.currency for each in invoices if each.tenant_id == tenant}
    return currencies.pop() if len(currencies) == 1 else ""
