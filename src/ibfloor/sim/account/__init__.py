"""The broker's own account in the simulation: what the gateway reports and tests trust.

Conventions, as IB's where it has one:

- Average cost is per unit times multiplier and holds the opening commissions; realised P&L is net
  of the commissions of both sides.
- Stocks and options move cash by their value. Futures move cash by realised P&L and commissions
  at the trade, and by the day's gain at the daily settlement, which leaves average cost and
  unrealised P&L as they were. Currency pairs move cash of both currencies; the pair is a "virtual"
  position besides, which is not counted in the account's value again.
- Margin is in the manner of Regulation T (``margin``): stocks 50 % initial, 25 % maintenance long
  and 30 % short; bought options their value, written ones that and a fifth of the underlying less
  what they are out of the money; futures 5 % and 4 % of the notional, currency pairs 2.5 %.
- Currencies are converted at given rates, else at the marks of held pairs, over third currencies
  where need be; a currency without a rate is left out of every sum and named: no rate is invented.
- Dividends, interest, settlements, exercise, expiry and splits are moves without an execution
  (``lifecycle``); an exercised option ends at 0, and the stock moves at the strike.
"""

from ibfloor.sim.account.book import AccountMove, SimAccount, SimExecution
from ibfloor.sim.account.position import SimPosition

__all__ = ["AccountMove", "SimAccount", "SimExecution", "SimPosition"]
