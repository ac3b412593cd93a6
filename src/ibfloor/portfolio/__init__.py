"""Portfolio: executions and movements in; books, cash, P&L and breaks out. Pure and exact."""
