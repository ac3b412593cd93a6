"""The broker's own account in the simulation: what the gateway reports and tests trust.

Conventions, as IB's where it has one:

- Average cost is per unit times multiplier and holds the opening commissions; realised P&L is net
  of the commissions of both sides.
- Stocks and options move cash by their value. Futures move cash by realised P&L and commissions
  only, at the trade (IB: at the daily settlement). Currency pairs move cash of both currencies;
  the pair is a "virtual" position besides, which is not counted in the account's value again.
- Margin is simple: stocks and options 50 % initial and 25 % maintenance of the gross market value
  (long and short alike), futures 5 % and 4 % of the notional, currency pairs 2.5 % of the value.
- Currencies are converted at the mark of a pair against the base currency, or at a given rate; a
  currency with cash but without either raises ``KeyError``: no rate is invented.
"""

from ibfloor.sim.account.book import SimAccount, SimExecution
from ibfloor.sim.account.position import SimPosition

__all__ = ["SimAccount", "SimExecution", "SimPosition"]
