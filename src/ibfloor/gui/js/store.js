// The page's copy of the floor's rows. A changed row is a new object; a topic tells its listeners once per message.
import { useEffect, useState } from "./lib.js";

const topics = new Map();
const listeners = new Map();

export function rowsOf(topic) {
  if (!topics.has(topic)) topics.set(topic, new Map());
  return topics.get(topic);
}

export function listen(topic, tell) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(tell);
  return () => listeners.get(topic).delete(tell);
}

export function useTopic(topic) {
  const [, setCount] = useState(0);
  useEffect(() => listen(topic, () => setCount((count) => count + 1)), [topic]);
  return rowsOf(topic);
}

export function useRow(topic, key) {
  const rows = useTopic(topic);
  return key === undefined ? rows.values().next().value : rows.get(key);
}

export function applySnapshot(rows) {
  const names = new Set([...topics.keys(), ...Object.keys(rows)]);
  for (const name of names) {
    const mine = rowsOf(name);
    mine.clear();
    for (const [key, row] of Object.entries(rows[name] || {})) mine.set(key, row);
  }
  names.forEach(tellTopic);
}

export function applyChanges(changed) {
  for (const [name, rows] of Object.entries(changed)) {
    const mine = rowsOf(name);
    for (const [key, change] of Object.entries(rows)) applyRow(mine, key, change);
    tellTopic(name);
  }
}

function applyRow(mine, key, change) {
  if (change === null) mine.delete(key);
  else if (Array.isArray(change) || !mine.has(key)) mine.set(key, change);
  else mine.set(key, { ...mine.get(key), ...change });
}

function tellTopic(name) {
  for (const tell of listeners.get(name) || []) tell();
}

// Small facts of the page itself (selection, staleness) live in cells: one value, its listeners.
export function cell(value) {
  const told = new Set();
  return {
    get: () => value,
    set(next) {
      if (next === value) return;
      value = next;
      for (const tell of told) tell(next);
    },
    listen(tell) {
      told.add(tell);
      return () => told.delete(tell);
    },
  };
}

export function useCell(source) {
  const [value, setValue] = useState(source.get());
  useEffect(() => {
    setValue(source.get());
    return source.listen(setValue);
  }, [source]);
  return value;
}
