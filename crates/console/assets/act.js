// Sends what a form names to the API, then draws the parts of the page again that it changed.

import { drawObjects, partsOf, settle } from "./part.js";
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

const isDone = ({ status }) => status >= 200 && status < 300;

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

/** What a form sends: what it names, and its fields. Times are in UTC. */
function bodyOf(form) {
  const body = JSON.parse(form.dataset.body ?? "{}");
  for (const field of form.elements) {
    if (!field.name) continue;
    body[field.name] = field.type === "datetime-local" ? `${field.value}:00Z` : field.value;
  }
  return body;
}

async function send(form) {
  const { method, path, version, undo, undoPath, done } = form.dataset;
  const part = form.closest("[data-objects]");
  const objects = part.dataset.objects.split(" ");
  const editor = form.closest("details");
  const text = form.querySelector("textarea");
  const before = text ? { [text.name]: text.defaultValue } : {};
  const buttons = part.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  const answer = await call(method, path, version, bodyOf(form));
  for (const button of buttons) button.disabled = false;
  if (isDone(answer)) {
    settle(form);
    if (editor) {
      editor.open = false;
      part.focus();
    }
  }
  if (isDone(answer) || answer.status === 409) await drawObjects(objects).catch(() => {});
  if (!isDone(answer)) return tell(answer);
  if (undo) {
    const object = answer.body.post ?? answer.body;
    const step = { method: undo, path: undoPath.replace("{id}", object.id), body: before, objects };
    // An operation on another object leaves the version of this one as it is.
    steps.push({ ...step, base: Number(version), version: object.version, isOwn: !answer.body.post });
    if (steps.length > MOST_STEPS) steps.shift();
  }
  say(done, { undo: undo ? undoLast : null });
  const drawn = document.getElementById(part.id);
  if (!editor && drawn && !drawn.querySelector(".state.waits")) neighbor(drawn)?.focus();
}

/** The version of an object that a part shows. */
const shown = (part) => Number(part?.querySelector("[data-version]")?.dataset.version);

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
  await drawObjects(step.objects).catch(() => {});
  if (!isDone(answer)) return tell(answer);
  const [object] = step.objects;
  const part = partsOf(object).find((part) => part.matches(".card"));
  const earlier = steps.findLast(({ objects }) => objects[0] === object);
  if (earlier?.version === step.base) earlier.version = step.isOwn ? answer.body.version : shown(part);
  part?.focus();
  say(word("undone"));
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.op) return;
  event.preventDefault();
  send(event.target);
});
