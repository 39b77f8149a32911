// Approves all drafts of the page that fit and are not left out, as they were when it was asked for.

import { followUp, perform, reasons, track } from "./act.js";
import { word } from "./say.js";

const KEPT = "waggle-left-out";
const MOST_KEPT = 200;
const dialog = document.getElementById("approve-all");
const opener = document.getElementById("show-approve-all");
const APPROVE = '[data-op="approve_generated_tweet"]';

/** What would be approved: the object and version of each draft, and what undoes its approval. */
let asked = [];

const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "[]");

/** Leaves a card out of what is approved together, or takes it in again. */
export function leaveOut(card) {
  if (!card?.querySelector(APPROVE)) return;
  const isOut = card.classList.toggle("out");
  const others = kept().filter((id) => id !== card.id);
  // Old drafts are not reviewed any more.
  const all = isOut ? [...others, card.id].slice(-MOST_KEPT) : others;
  localStorage.setItem(KEPT, JSON.stringify(all));
}

/** Asks whether to approve all. What changes while the question stands is not approved. */
export function askAll() {
  if (!dialog || dialog.open) return;
  const forms = [...document.querySelectorAll(`.card:not(.out) ${APPROVE}`)];
  asked = forms.map(({ dataset: { object, version, undo, undoPath } }) => {
    return { id: Number(object), version: Number(version), undo, undoPath };
  });
  if (!asked.length) return;
  const waiting = document.querySelectorAll(".card .state.waits").length;
  document.getElementById("approve-count").textContent = asked.length;
  document.getElementById("approve-rest").textContent = waiting - asked.length;
  const chosen = document.querySelector("#after :checked")?.value;
  for (const part of dialog.querySelectorAll("[data-after]")) part.hidden = part.dataset.after !== chosen;
  dialog.returnValue = "";
  dialog.showModal();
}

const name = (id) => `generated_tweet:${id}`;

async function approveAll() {
  const follow = await followUp().catch(() => undefined);
  if (follow === undefined) return;
  const { method, path } = opener.dataset;
  const tweets = asked.map(({ id, version }) => ({ id, version }));
  const outcome = ({ approved, refused }) => {
    const undo = approved.map(({ id, version }) => {
      const of = asked.find((tweet) => tweet.id === id);
      const own = { base: of.version, version, isOwn: true };
      return { method: of.undo, path: of.undoPath, body: {}, objects: [name(id)], ...own };
    });
    const done = [word("approved").replace("0", approved.length), ...reasons(refused)].join(" ");
    const isBad = refused.length > 0;
    return { done, undo: undo.filter((step) => step.method), isBad, approved };
  };
  const objects = asked.map(({ id }) => name(id));
  await perform({ method, path, body: { tweets } }, objects, outcome, { follow });
}

for (const id of kept()) document.getElementById(id)?.classList.add("out");
opener?.addEventListener("click", askAll);
dialog?.addEventListener("close", () => dialog.returnValue === "approve" && track(approveAll()));
