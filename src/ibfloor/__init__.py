"""Many traders, one floor: many strategies on one Interactive Brokers account."""

__version__ = "0.1.0"
