// Approves all drafts of the page that fit and are not left out, after it was confirmed.

import { perform } from "./act.js";
import { word } from "./say.js";

const KEPT = "waggle-left-out";
const dialog = document.getElementById("approve-all");
const opener = document.getElementById("show-approve-all");
const APPROVE = '[data-op="approve_generated_tweet"]';

const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "[]");

/** Leaves a card out of what is approved together, or takes it in again. */
export function leaveOut(card) {
  if (!card?.querySelector(APPROVE)) return;
  const isOut = card.classList.toggle("out");
  const others = kept().filter((id) => id !== card.id);
  // Old drafts are not reviewed any more.
  localStorage.setItem(KEPT, JSON.stringify(isOut ? [...others, card.id].slice(-200) : others));
}

/** The forms that approve what is approved together. */
const chosen = () => [...document.querySelectorAll(`.card:not(.out) ${APPROVE}`)];

/** Asks whether to approve all. */
export function askAll() {
  const count = chosen().length;
  if (!dialog || !count) return;
  document.getElementById("approve-count").textContent = count;
  document.getElementById("approve-rest").textContent =
    document.querySelectorAll(".card .state.waits").length - count;
  dialog.showModal();
}

async function approveAll() {
  const forms = chosen();
  const { method, path } = opener.dataset;
  const tweet = ({ dataset }) => ({ id: Number(dataset.object), version: Number(dataset.version) });
  const body = { tweets: forms.map(tweet) };
  await perform({ method, path, body }, forms.map((form) => `generated_tweet:${form.dataset.object}`), (answer) => {
    const { approved, refused } = answer;
    const undo = approved.map(({ id, version }) => {
      const { dataset } = forms.find(({ dataset: of }) => Number(of.object) === id);
      const object = `generated_tweet:${id}`;
      const own = { base: Number(dataset.version), version, isOwn: true };
      return { method: dataset.undo, path: dataset.undoPath, body: {}, objects: [object], ...own };
    });
    const reasons = refused.map(({ reason }) => reason);
    return { done: [word("approved").replace("0", approved.length), ...reasons].join(" "), undo, isBad: refused.length > 0 };
  });
}

for (const id of kept()) document.getElementById(id)?.classList.add("out");
opener?.addEventListener("click", askAll);
dialog?.addEventListener("close", () => dialog.returnValue === "approve" && approveAll());
