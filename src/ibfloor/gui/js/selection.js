// What is selected: one strategy and one of its symbols; chart, orders and log follow it.
import { rowsOf, cell, useCell, useTopic } from "./store.js";

const chosen = cell(null);

export function select(strategy, symbol = undefined) {
  chosen.set({ strategy, symbol });
}

// The choice made, or else the first strategy that is running.
export function useSelection() {
  const strategies = useTopic("strategies");
  const choice = useCell(chosen);
  const row = strategies.get(choice?.strategy) || firstOf([...strategies.values()]);
  if (!row) return { strategy: null, symbol: null, row: null };
  const symbol = row.symbols.includes(choice?.symbol) ? choice.symbol : row.symbols[0] || null;
  return { strategy: row.name, symbol, row };
}

function firstOf(rows) {
  return rows.find((row) => row.state === "RUNNING" && row.symbols.length > 0) || rows[0];
}

export function instrumentOf(symbol) {
  for (const row of rowsOf("instruments").values()) if (row.symbol === symbol) return row;
  return null;
}
