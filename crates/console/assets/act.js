// Sends what a form names to the API, then draws the parts of the page again that it changed.

import { proven, send } from "./call.js";
import { showConflict } from "./diff.js";
import { forget } from "./drafts.js";
import { drawAgain, drawObjects, load, partsOf, settle } from "./part.js";
import { say, word } from "./say.js";
import { entered } from "./zone.js";

const MOST_STEPS = 20;
/** Each step is a list of operations that undo it. */
const steps = [];

const isDone = ({ status }) => status >= 200 && status < 300;

/** Why an operation failed. */
function reason({ status, body, wait }) {
  const known = { 0: "offline", 401: "signed-out" }[status];
  const isChanged = status === 409 && body.current;
  const why = known ? word(known) : isChanged ? word("changed") : (body.detail ?? word("failed"));
  if (status === 429 && wait) return `${why}. ${word("wait").replace("0", wait)}`;
  // What went wrong in the server is found in its log by this.
  return status >= 500 && body.request_id ? `${why}. ${word("request")} ${body.request_id}.` : why;
}

/** Tells why an operation failed. */
export const tell = (answer) => say(reason(answer), { isBad: true });

/** The reasons for what a call for many objects did not do, each once. */
export const reasons = (refused) => [...new Set(refused.map(({ reason }) => `${reason}.`))];

/** The next card after this one that waits for a decision, or the one before. */
export function neighbor(part) {
  const cards = [...document.querySelectorAll(".card")];
  const at = cards.indexOf(part);
  const waits = (card) => card.querySelector(".state.waits");
  return cards.slice(at + 1).find(waits) ?? cards.slice(0, Math.max(at, 0)).reverse().find(waits);
}

/** What a form sends: what it names, and its fields. Nothing if a time that was entered is none. */
async function bodyOf(form) {
  const body = JSON.parse(form.dataset.body ?? "{}");
  for (const field of form.elements) {
    const { name, value } = field;
    if (!name) continue;
    if (field.type === "radio") {
      if (field.checked) body[name] = value;
    } else if (field.type === "checkbox") {
      // Check boxes of one name are a list.
      body[name] ??= [];
      if (field.checked) body[name].push("number" in field.dataset ? Number(value) : value);
    } else if (value || field.required || "empty" in field.dataset) {
      const sent = field.type === "datetime-local" ? await entered(value) : value;
      if (sent === undefined) return null;
      body[name] = "number" in field.dataset ? Number(sent) : sent;
    }
  }
  return body;
}

/** Shows a secret, or a list of them, once. */
export function showOnce(secrets, then) {
  const dialog = document.getElementById("secret");
  const place = document.getElementById("secret-text");
  place.textContent = [secrets].flat().join("\n");
  const closed = () => {
    place.replaceChildren();
    then?.();
  };
  dialog.addEventListener("close", closed, { once: true });
  dialog.showModal();
}

/** Draws again what an operation changed: the parts that show an object, or the list of the page. */
function drawAfter(objects, listId) {
  const list = document.getElementById(listId ?? "");
  const parts = objects.length ? drawObjects(objects) : null;
  return Promise.all([parts, list && drawAgain(list, load(location.href))]).catch(() => {});
}

function remember(undo) {
  if (undo.length) steps.push(undo);
  if (steps.length > MOST_STEPS) steps.shift();
}

/** What is being done, which is undone only when it has ended. */
const running = new Set();

/** Makes what is undone wait for this. */
export function track(work) {
  const ended = work.catch(() => {}).then(() => running.delete(ended));
  running.add(ended);
  return work;
}

/**
 * Performs an operation, draws the objects again that it changes, and tells how it went. `outcome`
 * makes of the answer what is said and what undoes it, and of an approval, `follow` what comes after
 * it. Returns the answer.
 */
export async function perform({ method, path, version, body }, objects, outcome, options = {}) {
  const { list, before, follow } = options;
  const answer = await proven(() => send(method, path, version, body));
  if (!isDone(answer)) {
    if (answer.status === 409) await drawAfter(objects, list);
    tell(answer);
    return answer;
  }
  before?.(answer.body);
  const { done, undo, isBad, approved } = outcome(answer.body);
  remember(undo);
  const next = follow && approved.length ? await follow(approved) : null;
  remember(next?.undo ?? []);
  await drawAfter(objects, list);
  const said = next ? `${done.replace(/\.?$/, ".")} ${next.done}` : done;
  say(said, { undo: undo.length ? undoLast : null, isBad: isBad || next?.isBad });
  return answer;
}

/**
 * What the user chose to do with what is approved: what to call then; nothing if that is nothing.
 * Throws if it cannot be done, which the user was told.
 */
export async function followUp() {
  const chosen = document.querySelector("#after :checked")?.value ?? "nothing";
  if (chosen === "nothing") return null;
  const { planned, publish } = await loaded("follow.js");
  const plan = await planned(chosen);
  if (!plan) throw new Error(chosen);
  return async (approved) => {
    const { answer, step } = await publish(approved, plan.when);
    const refused = answer.body.refused ?? [];
    const count = isDone(answer) ? refused.length : approved.length;
    // Without an answer, some may have been queued.
    const isUnsure = answer.status === 0 || answer.status >= 500;
    const left = word(isUnsure ? "unsure" : "not-queued").replace("0", count);
    const why = isDone(answer) ? reasons(refused) : [reason(answer)];
    const parts = [step.length ? plan.done : "", why.length ? left : "", ...why];
    return { done: parts.filter(Boolean).join(" "), undo: step, isBad: why.length > 0 };
  };
}

/** A script that is loaded when it is first used. Throws if it cannot be, which the user is told. */
export async function loaded(name) {
  try {
    return await import(`./${name}`);
  } catch (error) {
    say(word("reload"), { isBad: true });
    throw error;
  }
}

async function act(form) {
  const { method, path, version, undo, undoPath, done, shows } = form.dataset;
  const part = form.closest("[data-objects]") ?? form;
  const objects = part.dataset.objects?.split(" ") ?? [];
  const list = form.closest("[data-list]")?.dataset.list;
  const editor = form.closest("details");
  const wasWaiting = part.querySelector(".state.waits");
  const text = undo === "PATCH" && form.querySelector("textarea");
  const words = text ? { [text.name]: text.defaultValue } : {};
  // A part does one thing at a time. Its buttons stay focused meanwhile. A choice that is made
  // meanwhile is sent afterwards.
  if (part.ariaBusy === "true") {
    if ("submits" in form.dataset) form.dataset.again = "";
    return;
  }
  part.ariaBusy = "true";
  const isApproval = form.dataset.op === "approve_generated_tweet";
  const asked = Promise.all([bodyOf(form), isApproval ? followUp() : null]);
  const [body, follow] = await asked.catch(() => []);
  if (!body) {
    part.ariaBusy = null;
    return;
  }
  const settled = (body) => {
    if (list) form.reset();
    else settle(form);
    forget(form);
    if (editor) {
      editor.open = false;
      (editor.closest(".card") ?? editor.querySelector("summary")).focus();
    }
    if (shows) showOnce(body[shows]);
  };
  const outcome = (body) => {
    const object = body.post ?? body;
    const where = undoPath?.replace(/\{(\w+)\}/, (_, name) => object[name]);
    // An operation on another object leaves the version of this one as it is.
    const own = { base: Number(version), version: object.version, isOwn: !body.post };
    const step = { method: undo, path: where, body: words, objects, ...own };
    // Some operations say in their answer how they went.
    const { warnings, ok, detail } = body;
    const said = [detail ?? done, ...(warnings ?? [])].join(" ");
    // Without what the path names, nothing was changed.
    const isUndone = undo && !where.includes("undefined");
    const isBad = ok === false || Boolean(warnings);
    return { done: said, undo: isUndone ? [step] : [], isBad, approved: [body] };
  };
  const sent = { method, path, version, body };
  const answer = await perform(sent, objects, outcome, { list, before: settled, follow });
  part.ariaBusy = null;
  if ("again" in form.dataset) {
    delete form.dataset.again;
    form.requestSubmit();
  }
  if (isDone(answer) && form.closest("[data-reloads]")) location.reload();
  if (text && answer.body.current) showConflict(document.getElementById(text.id));
  const drawn = document.getElementById(part.id);
  if (wasWaiting && !drawn?.querySelector(".state.waits")) neighbor(drawn)?.focus();
}

/** The version of an object that a part shows. */
const shown = (part) => Number(part?.querySelector("[data-version]")?.dataset.version);

/** What is being undone: one step after the other. */
let undoing = Promise.resolve();

/** Whether an operation can be tried again: it did not arrive, or came at the wrong time. */
const isTemporary = ({ status }) => [0, 401, 429].includes(status) || status >= 500;

/**
 * Undoes one operation. Where nobody else changed an object since the step before, that one can be
 * undone next. The version of an object before the operation is in `bases`; a move has none.
 */
async function undo(step) {
  const answer = await proven(() => send(step.method, step.path, step.version, step.body));
  if (!isDone(answer)) return answer;
  step.restore?.();
  const bases = step.bases ?? { [step.objects[0]]: step.base };
  const earlier = (name) => steps.flat().findLast(({ objects, version }) => version && objects[0] === name);
  const refused = new Set((answer.body.refused ?? []).map(({ id }) => id));
  const changed = step.objects.filter((_, index) => !refused.has(step.body?.posts?.[index]?.id));
  const next = changed.map((name) => [name, earlier(name)]);
  const fitting = next.filter(([name, operation]) => operation && operation.version === bases[name]);
  if (fitting.length && !step.isOwn) await drawObjects(step.objects).catch(() => {});
  for (const [name, operation] of fitting) {
    const version = step.isOwn ? answer.body.version : shown(card(name));
    // Without a version, it would be undone whatever has happened to it.
    if (version) operation.version = version;
  }
  return answer;
}

const card = (object) => partsOf(object).find((part) => part.matches(".card"));

/** Undoes the last step: all of its operations that can be undone. */
async function undoStep() {
  while (running.size) await Promise.all(running);
  const step = steps.pop();
  if (!step) return say(word("nothing"));
  const objects = step.flatMap((operation) => operation.objects);
  let failed = null;
  while (step.length) {
    const answer = await undo(step.at(-1));
    const refused = answer.body.refused ?? [];
    if (refused.length) failed = { status: 409, body: { detail: reasons(refused).join(" ") } };
    if (!isDone(answer)) failed = answer;
    if (isTemporary(answer)) {
      steps.push(step);
      break;
    }
    step.pop();
  }
  await drawObjects(objects).catch(() => {});
  card(objects[0])?.focus();
  if (failed) tell(failed);
  else say(word("undone"));
}

/** Undoes the last step of this page that is not undone yet. */
export function undoLast() {
  undoing = undoing.then(undoStep, undoStep);
}

/** To open what a notification is about is to read it. The page may be gone before it is sent. */
document.addEventListener("click", async ({ target }) => {
  const form = target.closest?.("a[data-reads]")?.closest("li").querySelector("form");
  if (form) send(form.dataset.method, form.dataset.path, null, await bodyOf(form), true);
});

/** A choice that is kept as soon as it is made. */
document.addEventListener("change", ({ target }) => {
  if (target.name && target.form?.matches("[data-submits]")) target.form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.op) return;
  event.preventDefault();
  track(act(event.target));
});
