"""``ibfloor book action ...``: what a company, an exchange or the broker did to the account, classified by a person."""

from __future__ import annotations

from typing import Annotated

import typer

from ibfloor.cli.booking import (
    AtOption,
    BreakOption,
    PreviewOption,
    ReasonOption,
    SharesOption,
    SymbolArgument,
    YesOption,
    book,
    instrument_id,
    money,
    number,
    optional,
    shares,
)
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, examples
from ibfloor.model.booking import RATIO_MAX
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId

app = typer.Typer(
    name="action",
    help="Classify a split, merger, spin-off, expiry, settlement, exercise, assignment, dividend, interest or charge.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NewArgument = Annotated[int, typer.Argument(metavar="NEW", min=1, max=RATIO_MAX, help="So many new ones ...")]
OldArgument = Annotated[int, typer.Argument(metavar="OLD", min=1, max=RATIO_MAX, help="... for so many old ones.")]
LieuOption = Annotated[str, typer.Option("--in-lieu", metavar="PX", help="What a fraction was paid out at.")]
CASH = ("dividend", "interest", "borrow", "charge")


@app.command(epilog=examples("ibfloor book action split AAPL 7 1 -r '7 for 1' --at '2026-06-09 04:00'"))
def split(
    symbol: SymbolArgument,
    new: NewArgument,
    old: OldArgument,
    reason: ReasonOption,
    in_lieu: LieuOption = "",
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Split a position in every book that holds it; its cost stays."""
    from ibfloor.model.booking import SplitPosition

    key = instrument_id(symbol, config, home)
    done = SplitPosition(instrument_id=key, new=new, old=old, px_in_lieu=optional(in_lieu, "--in-lieu"))
    book(done, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)


@app.command(epilog=examples("ibfloor book action merger XYZ 756733 3 10 --cash 4.50 --cash-cost 0.2 -r 'taken over'"))
def merger(
    symbol: SymbolArgument,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The instrument it turns into.")],
    new: NewArgument,
    old: OldArgument,
    reason: ReasonOption,
    cash: Annotated[str, typer.Option("--cash", metavar="AMOUNT", help="Cash paid for each old one.")] = "0",
    cash_cost: Annotated[
        str, typer.Option("--cash-cost", metavar="SHARE", help="The part of the cost, 0 to 1, that goes with the cash.")
    ] = "0",
    in_lieu: LieuOption = "",
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Turn an instrument into another in every book that holds it."""
    from ibfloor.model.booking import MergePosition

    done = MergePosition(
        instrument_id=instrument_id(symbol, config, home),
        into_id=instrument_id(into, config, home),
        new=new,
        old=old,
        cash_per_share=number(cash, "--cash"),
        cash_cost_share=number(cash_cost, "--cash-cost"),
        px_in_lieu=optional(in_lieu, "--in-lieu"),
    )
    book(done, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)


@app.command(
    epilog=examples(
        "ibfloor book action spinoff GE GEV 1 4 --cost 0.18 --in-lieu 131.40 -r 'form 8937' --at '2026-04-02'"
    )
)
def spinoff(
    symbol: SymbolArgument,
    child: Annotated[str, typer.Argument(metavar="CHILD", help="What its holders got.")],
    new: NewArgument,
    old: OldArgument,
    reason: ReasonOption,
    cost: Annotated[
        str, typer.Option("--cost", metavar="SHARE", help="The part of the cost, 0 to 1, that goes along.")
    ],
    in_lieu: LieuOption = "",
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Give every book that holds an instrument shares of another, and a part of the cost with them."""
    from ibfloor.model.booking import SpinOff

    done = SpinOff(
        instrument_id=instrument_id(symbol, config, home),
        child_id=instrument_id(child, config, home),
        new=new,
        old=old,
        cost_share=number(cost, "--cost"),
        px_in_lieu=optional(in_lieu, "--in-lieu"),
    )
    book(done, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)


@app.command(epilog=examples("ibfloor book action expiry 637533641 -r 'worthless'"))
def expiry(
    symbol: SymbolArgument,
    reason: ReasonOption,
    price: Annotated[str, typer.Option("--price", metavar="PX", help="Its last settlement price.")] = "0",
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """End an option or a future in every book that holds it."""
    from ibfloor.model.booking import ExpirePosition

    done = ExpirePosition(instrument_id=instrument_id(symbol, config, home), px=number(price, "--price"))
    book(done, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)


@app.command(epilog=examples("ibfloor book action settle ESZ6 5010.25 -r 'settlement of the 7th'"))
def settle(
    symbol: SymbolArgument,
    price: Annotated[str, typer.Argument(metavar="PX", help="The settlement price.")],
    reason: ReasonOption,
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Pay every book what its position in a future has gained: the exchange's daily settlement."""
    from ibfloor.model.booking import SettleFuture

    done = SettleFuture(instrument_id=instrument_id(symbol, config, home), px=number(price, "PX"))
    book(done, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)


@app.command(epilog=examples("ibfloor book action exercise 637533641 SPY 2 --strategy puts -r 'assigned overnight'"))
def exercise(
    symbol: SymbolArgument,
    under: Annotated[str, typer.Argument(metavar="UNDER", help="What comes or goes at the strike.")],
    reason: ReasonOption,
    contracts: Annotated[str, typer.Argument(metavar="[CONTRACTS]", help="Above zero; left out, all of it.")] = "",
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", help="Whose; else an assignment falls to the short books pro rata.")
    ] = "",
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Turn options into their underlying at the strike: an exercise of longs, an assignment of shorts."""
    from ibfloor.model.booking import ExerciseOption

    done = ExerciseOption(
        instrument_id=instrument_id(symbol, config, home),
        under_id=instrument_id(under, config, home),
        contracts=optional(contracts, "CONTRACTS"),
        strategy=StrategyId(strategy) if strategy else None,
    )
    book(done, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)


@app.command(
    context_settings={"ignore_unknown_options": True},  # -12.50 is an amount
    epilog=examples(
        "ibfloor book action cash dividend 28.00 USD --of KO -r 'quarterly'",
        "ibfloor book action cash charge -12.50 USD --to pairs=-12.50 -r 'market data'",
    ),
)
def cash(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(CASH)}.")],
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="As it moved the account's cash: negative for what was paid.")
    ],
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="As in USD.")],
    reason: ReasonOption,
    of: Annotated[str, typer.Option("--of", metavar="SYMBOL", help="Share it by what the books hold of this.")] = "",
    to: SharesOption = None,
    at: AtOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Book a dividend, interest, borrow cost or charge of the account."""
    from ibfloor.model.booking import BookCash
    from ibfloor.model.entry import NO_INSTRUMENT, EntryKind

    if kind.lower() not in CASH:
        raise ConfigError(f"{kind}: cash is one of {', '.join(CASH)} here; see also ibfloor book deposit")
    came = BookCash(
        kind=EntryKind(kind.upper()),
        amount=money(amount, currency),
        shares=shares(to),
        instrument_id=instrument_id(of, config, home) if of else NO_INSTRUMENT,
    )
    book(came, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes, at=at)
