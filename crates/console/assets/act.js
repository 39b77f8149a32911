// Sends what a form names to the API, then draws the part of the page again that it belongs to.

import { drawObject } from "./part.js";
import { say, word } from "./say.js";

const MOST_STEPS = 20;
const steps = [];

/** Calls an operation. Returns the status and the body; a status of 0 means that nothing was sent. */
async function call(method, path, version, body) {
  const headers = { "Content-Type": "application/json" };
  if (version) headers["If-Match"] = version;
  try {
    const response = await fetch(path, { method, headers, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
}

/** Tells why an operation failed. */
function tell({ status, body }) {
  const known = { 0: "offline", 401: "signed-out" }[status];
  const isChanged = status === 409 && body.current;
  say(known ? word(known) : isChanged ? word("changed") : (body.detail ?? word("failed")), { isBad: true });
}

/** The next card after this one that waits for a decision, or the one before. */
function neighbor(part) {
  const cards = [...document.querySelectorAll(".card")];
  const at = cards.indexOf(part);
  const waits = (card) => card.querySelector(".state.waits");
  return cards.slice(at + 1).find(waits) ?? cards.slice(0, at).reverse().find(waits);
}

async function send(form) {
  const { method, path, version, undo, undoPath, done } = form.dataset;
  const part = form.closest("[data-object]");
  const { kind, object } = part.dataset;
  const field = form.querySelector("textarea");
  const before = field?.defaultValue;
  const body = field ? { content: field.value } : {};
  const buttons = part.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  const answer = await call(method, path, version, body);
  for (const button of buttons) button.disabled = false;
  const isDone = answer.status >= 200 && answer.status < 300;
  if (isDone && field) {
    // What is saved is no longer what somebody is writing.
    field.defaultValue = field.value;
    field.closest("details").open = false;
    part.focus();
  }
  if (isDone || answer.status === 409) await drawObject(kind, object).catch(() => {});
  if (!isDone) return tell(answer);
  if (undo) {
    const opposite = field ? { content: before } : {};
    const step = { method: undo, path: undoPath, body: opposite, kind, object };
    steps.push({ ...step, base: Number(version), version: answer.body.version });
    if (steps.length > MOST_STEPS) steps.shift();
  }
  say(done, { undo: undo ? undoLast : null });
  const drawn = document.getElementById(part.id);
  if (!field && !drawn?.querySelector(".state.waits")) neighbor(drawn)?.focus();
}

/**
 * Undoes the last step. If nobody else changed the object between the step before it and this one,
 * that step can be undone next.
 */
export async function undoLast() {
  const step = steps.pop();
  if (!step) return say(word("nothing"));
  const answer = await call(step.method, step.path, step.version, step.body);
  // What did not arrive, or came after the session had ended, can be tried again.
  if ([0, 401].includes(answer.status)) steps.push(step);
  await drawObject(step.kind, step.object).catch(() => {});
  if (answer.status >= 300 || answer.status === 0) return tell(answer);
  const earlier = steps.findLast(({ kind, object }) => kind === step.kind && object === step.object);
  if (earlier?.version === step.base) earlier.version = answer.body.version;
  const part = document.querySelector(`[data-kind="${step.kind}"][data-object="${step.object}"]`);
  part?.focus();
  say(word("undone"));
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.op) return;
  event.preventDefault();
  send(event.target);
});
