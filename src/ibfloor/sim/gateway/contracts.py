"""Contracts on the wire: which security a request means, and how a security is described."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ibfloor.model.instrument import Instrument
from ibfloor.sim.gateway.codec.kinds import Scalar, Values, number_text
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.market.securities import Security, SecurityMaster

UNKNOWN_CONTRACT = (200, "No security definition has been found for the request")


def match_contract(master: SecurityMaster, values: Values) -> list[Security]:
    """Return every security that a request's contract fields fit."""
    text = {name: str(values.get(name) or "") for name in ("sec_type", "symbol", "exchange", "currency", "expiry")}
    con_id, strike = values.get("con_id"), values.get("strike")
    sec_id = (str(values.get("sec_id_type") or ""), str(values.get("sec_id") or ""))
    if any(sec_id) and not (con_id or text["symbol"] or values.get("local_symbol")):
        return [one for one in master if sec_id in one.sec_id_list and _fits(one, text)]
    found = master.find(
        text["sec_type"],
        text["symbol"],
        text["exchange"],
        text["currency"],
        text["expiry"],
        con_id=con_id if isinstance(con_id, int) else 0,
        local_symbol=str(values.get("local_symbol") or ""),
        primary_exchange=str(values.get("primary_exchange") or ""),
        trading_class=str(values.get("trading_class") or ""),
        multiplier=str(values.get("multiplier") or ""),
        strike=strike if isinstance(strike, Decimal) else None,
        right=str(values.get("right") or ""),
    )
    return [one for one in found if sec_id in one.sec_id_list] if any(sec_id) else found


def _fits(security: Security, text: Mapping[str, str]) -> bool:
    named = security.instrument
    return (
        text["sec_type"] in ("", named.contract.security_type)
        and text["currency"] in ("", named.currency)
        and text["exchange"] in ("", *security.valid_exchanges.split(","))
    )


def one_security(session: Session, req_id: int, master: SecurityMaster, values: Values) -> Security | None:
    """Return the one security a request means; tell the client 200 and return ``None`` for none or many."""
    found = match_contract(master, values)
    if len(found) == 1:
        return found[0]
    if found:
        symbol = found[0].symbol
        session.fail(req_id, 200, f"The contract description specified for {symbol} is ambiguous.")
    else:
        session.fail(req_id, *UNKNOWN_CONTRACT)
    return None


def contract_values(instrument: Instrument, exchange: str = "") -> dict[str, Scalar]:
    """Return a contract's fields as orders, executions and positions carry them."""
    contract = instrument.contract
    return {
        "con_id": instrument.instrument_id,
        "symbol": contract.symbol,
        "sec_type": contract.security_type,
        "expiry": contract.expiry,
        "strike": contract.strike or Decimal(0),
        "right": contract.right,
        "multiplier": "" if instrument.multiplier == 1 else number_text(instrument.multiplier),
        "exchange": exchange or instrument.exchange,
        "primary_exchange": instrument.primary_exchange,
        "currency": instrument.currency,
        "local_symbol": instrument.local_symbol,
        "trading_class": contract.trading_class or instrument.local_symbol,
    }


def details_values(security: Security, exchange: str, now_ns: int) -> dict[str, Scalar | list[Values]]:
    """Return all fields of a contract's details; hours are told from a market time on."""
    instrument = security.instrument
    values: dict[str, Scalar | list[Values]] = dict(contract_values(instrument, exchange))
    values.update(
        right=instrument.contract.right,
        trading_class=security.trading_class,
        market_name=security.market_name,
        min_tick=instrument.min_tick,
        order_types=security.order_types,
        valid_exchanges=security.valid_exchanges,
        price_magnifier=security.price_magnifier,
        under_con_id=security.under_con_id,
        long_name=instrument.long_name,
        contract_month=security.contract_month,
        last_trade_date=security.last_trade_day,
        industry=security.industry,
        category=security.category,
        subcategory=security.subcategory,
        time_zone=instrument.time_zone,
        trading_hours=security.session.hours_text(now_ns),
        liquid_hours=security.session.hours_text(now_ns, regular=True),
        sec_ids=[{"tag": tag, "value": value} for tag, value in security.sec_id_list],
        agg_group=security.agg_group,
        under_symbol=security.under_symbol,
        under_sec_type=security.under_security_type,
        market_rule_ids=security.market_rule_ids,
        real_expiration_date=security.real_expiration_day,
        stock_type=security.stock_type,
        min_size=security.min_size,
        size_increment=security.size_increment,
        suggested_size=security.suggested_size_increment,
    )
    return values
