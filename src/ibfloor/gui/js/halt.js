// After the stop: the red banner that stays, and the way back, which asks for a reason.
import { Icon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./lib.js";
import { account, give } from "./rest.js";
import { useCell } from "./store.js";

export function HaltBanner({ reason }) {
  const [isAsking, setAsking] = useState(false);
  return html`<div class="banner is-halt" data-test="banner-halt">
    <${Icon} name="alert" size="18" /><b>Trading is halted</b><span>${reason}</span>
    <button type="button" onClick=${() => setAsking(true)} data-test="reset">Reset…</button>
    ${isAsking && html`<${ResetDialog} onClose=${() => setAsking(false)} />`}
  </div>`;
}

function ResetDialog({ onClose }) {
  const box = useRef(null);
  const { password: needsPassword } = useCell(account);
  const [reason, setReason] = useState("");
  const [password, setPassword] = useState("");
  useEffect(() => {
    box.current.showModal();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    if (await give("/unkill", { reason: reason.trim(), password })) onClose();
  };
  return html`<dialog ref=${box} class="dialog" onClose=${onClose} aria-labelledby="reset-title">
    <form onSubmit=${submit}>
      <h2 id="reset-title">Let trading go on</h2>
      <p>The reason is written into the audit trail. Strategies stay stopped until you start them.</p>
      <label>Reason<input value=${reason} required maxlength="200" onInput=${(event) => setReason(event.target.value)} data-test="reset-reason" /></label>
      ${needsPassword && html`<label>Password<input type="password" value=${password} required maxlength="256"
        autocomplete="current-password" onInput=${(event) => setPassword(event.target.value)} /></label>`}
      <div class="dialog-acts">
        <button type="button" onClick=${onClose}>Back</button>
        <button type="submit" class="primary" disabled=${!reason.trim()} data-test="reset-confirm">Reset the kill switch</button>
      </div>
    </form>
  </dialog>`;
}
