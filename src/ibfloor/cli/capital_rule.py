"""The rule of a strategy's capital as it stands: floor.toml's, or the one a person set since; from the journal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from ibfloor.cli.options import config_of, home_of
from ibfloor.cli.output import some_of
from ibfloor.model.capital import CapitalAllocated, CapitalBasis, CapitalRule, CapitalRuled
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId


def capital_lines(strategy: StrategyId, config: Path, home: Path | None) -> list[str]:
    """Return the rule and the amount in words; raise ``ConfigError`` for a strategy that nobody knows."""
    from ibfloor.config import load_settings
    from ibfloor.ledger.reading import read_facts

    file = config_of(config, home)
    sections = load_settings(file, home=home).strategies if file.is_file() else []
    configured = {each.name: each.capital.rule if each.capital else None for each in sections}
    ruled: CapitalRuled | None = None
    amount: CapitalAllocated | None = None
    for fact in read_facts(home_of(config, home), (CapitalRuled, CapitalAllocated)):
        if isinstance(fact, CapitalRuled) and fact.strategy == strategy:
            ruled = fact
        elif isinstance(fact, CapitalAllocated) and fact.strategy == strategy:
            amount = fact
    if strategy not in configured and ruled is None and amount is None:
        raise ConfigError(f"there is no strategy {strategy}; in floor.toml are: {some_of(sorted(configured))}")
    by_file = configured.get(strategy)
    if ruled is not None and ruled.counts(by_file):
        lines = [f"{strategy}: {rule_text(ruled.rule)}; set by {ruled.actor}"]
    elif by_file is not None:
        lines = [f"{strategy}: {rule_text(by_file)}; as in floor.toml"]
    else:
        lines = [f"{strategy} has no rule for its capital: give it one by --fixed, --weight or --volatility"]
    if amount is not None:
        lines.append(f"allocated: {amount.amount:,.2f} {amount.currency}, {amount.reason}")
    return lines


def rule_text(rule: CapitalRule) -> str:
    """Return a rule in words."""
    match rule.basis:
        case CapitalBasis.FIXED:
            text = f"fixed, {rule.amount or Decimal(0):,f} of the account's currency"
        case CapitalBasis.WEIGHT:
            text = f"weight {rule.weight:f} of net liquidation"
        case CapitalBasis.VOLATILITY:
            text = f"volatility {rule.volatility_pct:f} % a year, weight {rule.weight:f} while its own is not known"
    bands = [f"{name} {band:f}" for name, band in (("from", rule.band_min), ("to", rule.band_max)) if band is not None]
    return f"{text}, kept {' '.join(bands)}" if bands else text
