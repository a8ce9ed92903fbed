"""Invoices as the price list, the contracts and the recorded usage make them."""
