// After the stop: a red banner for each latched switch, and the way back, which asks for a reason.
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { html, useLayoutEffect, useRef, useState } from "./lib.js";
import { account, give } from "./rest.js";
import { nameOf } from "./stop.js";
import { useCell, useRow } from "./store.js";

const PHASES = {
  canceling: "cancelling",
  verified: "no order works, by the broker's list",
  "not verified": "NOT VERIFIED: look in TWS",
  closing: "closing positions",
  flat: "no order works, flat",
  "not flat": "not flat",
};

export function HaltBanner({ kill }) {
  const [isAsking, setAsking] = useState(false);
  const title = kill.scope === "account" ? "Trading is halted" : `${kill.target} is halted`;
  const left = kill.orders_left > 0 ? `, ${f.plain(kill.orders_left, 0)} left` : "";
  return html`<div class="banner is-halt" data-test="banner-halt" data-scope=${kill.scope}>
    <${Icon} name="alert" size="18" /><b>${title}</b>
    <span>${kill.reason}<small>${kill.actor}, ${f.timeOf(kill.ts_ns)} · ${PHASES[kill.phase] ?? kill.phase}${left}${kill.phase === "not verified" && kill.text ? ` (${kill.text})` : ""}</small></span>
    <button type="button" onClick=${() => setAsking(true)} data-test="reset">Reset…</button>
    ${isAsking && html`<${ResetDialog} kill=${kill} onClose=${() => setAsking(false)} />`}
  </div>`;
}

function ResetDialog({ kill, onClose }) {
  const box = useRef(null);
  const { password: needsPassword } = useCell(account);
  const needsOfficer = Boolean(useRow("floor", "floor")?.has_risk_officer);
  const [reason, setReason] = useState("");
  const [password, setPassword] = useState("");
  const [passphrase, setPassphrase] = useState("");
  useLayoutEffect(() => {
    box.current.showModal();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    const { scope, target } = kill;
    if (await give("/unkill", { scope, target, reason: reason.trim(), password, passphrase })) onClose();
  };
  return html`<dialog ref=${box} class="dialog" onClose=${onClose} aria-labelledby="reset-title">
    <form onSubmit=${submit}>
      <h2 id="reset-title">Let ${nameOf(kill)} trade again</h2>
      <p>Refused while books and account differ. The reason is written into the audit trail. Strategies that were stopped stay
        stopped until you start them, and other latched switches stay latched.</p>
      <label>Reason<input value=${reason} required maxlength="200" onInput=${(event) => setReason(event.target.value)} data-test="reset-reason" /></label>
      ${needsOfficer && html`<label>Risk officer's passphrase<input type="password" value=${passphrase} required maxlength="256"
        autocomplete="off" onInput=${(event) => setPassphrase(event.target.value)} data-test="reset-passphrase" /></label>`}
      ${needsPassword && html`<label>Password<input type="password" value=${password} required maxlength="256"
        autocomplete="current-password" onInput=${(event) => setPassword(event.target.value)} /></label>`}
      <div class="dialog-acts">
        <button type="button" onClick=${onClose}>Back</button>
        <button type="submit" class="primary" disabled=${!reason.trim()} data-test="reset-confirm">Reset the kill switch</button>
      </div>
    </form>
  </dialog>`;
}
