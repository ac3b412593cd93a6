// A button that must be held: by pointer, or by Enter or Space. Letting go, leaving or losing focus begins anew.
import { classes, html, useEffect, useRef, useState } from "./lib.js";

export const HOLD_MS = 1200;
const KEYS = new Set(["Enter", " "]);

export function HoldButton({ onDone, label, isDisabled = false }) {
  const [isHeld, setHeld] = useState(false);
  const timer = useRef(0);
  const end = () => {
    clearTimeout(timer.current);
    timer.current = 0;
    setHeld(false);
  };
  const begin = () => {
    if (timer.current || isDisabled) return;
    setHeld(true);
    timer.current = setTimeout(() => {
      end();
      onDone();
    }, HOLD_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  const onKeyDown = (event) => {
    if (!KEYS.has(event.key)) return;
    event.preventDefault(); // a repeat must not become a click
    if (!event.repeat) begin();
  };
  const onPointerDown = (event) => {
    if (event.button === 0) begin();
  };
  return html`<button type="button" class=${classes("hold", isHeld && "is-held")} data-test="hold" aria-disabled=${isDisabled} onPointerDown=${onPointerDown}
    onPointerUp=${end} onPointerLeave=${end} onPointerCancel=${end} onKeyDown=${onKeyDown} onKeyUp=${end} onBlur=${end}
    onContextMenu=${(event) => event.preventDefault()}><i></i><span>${isHeld ? "Keep holding…" : label}</span></button>`;
}
