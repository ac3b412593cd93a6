"""What-if orders: IB's answer, which comes as an openOrder, as a margin impact."""

from __future__ import annotations

from ib_async import OrderState

from ibfloor.broker.ib.convert import number
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.money import Currency
from ibfloor.model.order import OrderRequest


def has_margins(state: OrderState) -> bool:
    """Tell whether an answer carries what was asked: IB may first say the order alone."""
    return all(_figure(*texts) is not None for texts in _figures(state))


def to_impact(answers: list[OrderState | str], request: OrderRequest, base: Currency, now_ns: int) -> MarginImpact:
    """Return the last answer to a preview, with all warnings; raise ``ConnectivityError`` where it has no margins."""
    states = [each for each in answers if isinstance(each, OrderState)]
    figures = [_figure(*texts) for texts in _figures(states[-1])] if states else []
    initial, maintenance, equity = figures or (None, None, None)
    if initial is None or maintenance is None or equity is None:
        raise ConnectivityError("the broker's answer to the preview carries no margins")
    state = states[-1]
    warnings = (*(each for each in answers if isinstance(each, str)), state.warningText)
    return MarginImpact(
        instrument_id=request.instrument_id,
        side=request.side,
        order_qty=request.order_qty,
        initial=initial,
        maintenance=maintenance,
        equity=equity,
        currency=base,
        commission=number(state.commission),
        commission_min=number(state.minCommission),
        commission_max=number(state.maxCommission),
        commission_currency=Currency(state.commissionCurrency),
        warning="; ".join(dict.fromkeys(each for each in warnings if each)),
        ts_ns=now_ns,
    )


def _figures(state: OrderState) -> tuple[tuple[str, str, str], ...]:
    return (
        (state.initMarginBefore, state.initMarginChange, state.initMarginAfter),
        (state.maintMarginBefore, state.maintMarginChange, state.maintMarginAfter),
        (state.equityWithLoanBefore, state.equityWithLoanChange, state.equityWithLoanAfter),
    )


def _figure(before: str, change: str, after: str) -> MarginFigure | None:
    # Two of three tell the third; of one alone nothing is known.
    had, differs, has = number(before), number(change), number(after)
    if had is None and differs is not None and has is not None:
        had = has - differs
    elif differs is None and had is not None and has is not None:
        differs = has - had
    elif has is None and had is not None and differs is not None:
        has = had + differs
    if had is None or differs is None or has is None:
        return None
    return MarginFigure(before=had, change=differs, after=has)
