// Commands and questions over REST. A command carries a key of its own, so that sending it twice does it once.
import { cell } from "./store.js";

export const notices = cell([]);
export const account = cell({ csrf: "", password: false });

let noticeNumber = 0;

export async function loadSession() {
  account.set(await ask("/session"));
}

export async function ask(path) {
  const answer = await fetch(`/api/v1${path}`);
  return read(answer);
}

export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function command(path, body = undefined, key = newKey()) {
  const headers = { "X-CSRF-Token": account.get().csrf, "Idempotency-Key": key };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(`/api/v1${path}`, { method: "POST", headers, body: body && JSON.stringify(body) });
  return read(answer);
}

// Give a command and tell the outcome in a notice.
export async function give(path, body = undefined) {
  try {
    const { text } = await command(path, body);
    notify(text);
    return true;
  } catch (error) {
    notify(error.message, true);
    return false;
  }
}

export function notify(text, isError = false) {
  const notice = { number: ++noticeNumber, text, isError };
  notices.set([...notices.get().slice(-3), notice]);
  setTimeout(() => dismiss(notice.number), isError ? 15000 : 5000);
}

export function dismiss(number) {
  notices.set(notices.get().filter((notice) => notice.number !== number));
}

export async function logOut() {
  await command("/logout");
  location.replace("/login");
}

async function read(answer) {
  if (answer.status === 401) {
    location.replace("/login");
    throw new Error("Not logged in any more");
  }
  if (answer.status === 204) return {};
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error.text);
  return value;
}
