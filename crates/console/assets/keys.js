// Keys: single letters act on the card that has the focus. This is the first module of each page.

import { loaded, neighbor, track, undoLast } from "./act.js";
import { askAll, leaveOut } from "./bulk.js";
import "./live.js";
import { FIELDS } from "./part.js";

const list = document.getElementById("keys");
const single = document.getElementById("single-keys");
const KEPT = "waggle-single-keys";

single.checked = localStorage.getItem(KEPT) !== "off";
single.addEventListener("change", () => localStorage.setItem(KEPT, single.checked ? "on" : "off"));
document.getElementById("show-keys").addEventListener("click", () => list.showModal());

// On a narrow screen, the navigation may be longer than the screen is wide. It is not scrolled by
// `scrollIntoView`, after which the first Tab would go to what follows the link.
const nav = document.querySelector("nav");
const here = nav.querySelector('[aria-current="page"]')?.getBoundingClientRect();
if (here) nav.scrollLeft = here.left + here.width / 2 - nav.clientWidth / 2;

const cards = () => [...document.querySelectorAll(".card")];
const current = () => document.activeElement.closest?.(".card");

function move(by) {
  const all = cards();
  const at = all.indexOf(current());
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  all[next]?.focus();
}

/** Presses what has this key in the current card. */
function press(key) {
  const found = current()?.querySelector(`[data-key="${key}"]`);
  if (!found) return false;
  if (found.localName === "details") {
    const field = found.querySelector(FIELDS);
    found.open = true;
    field.focus();
    if (field.localName === "textarea") {
      field.setSelectionRange(field.value.length, field.value.length);
    }
  } else {
    found.requestSubmit();
  }
  return true;
}

/** The pages that `g` and a letter lead to. */
const PLACES = { h: "/", r: "/review", b: "/batches", s: "/sources", o: "/posts", p: "/publishing" };
let isGoing = false;

/** Waits for the letter of a page. */
function go() {
  isGoing = true;
  setTimeout(() => (isGoing = false), 2000);
}

const ACTIONS = {
  j: () => move(1),
  k: () => move(-1),
  n: () => neighbor(current())?.focus(),
  m: () => leaveOut(current()),
  A: askAll,
  g: go,
  "/": () => document.querySelector("[type=search]")?.focus(),
  u: undoLast,
  "?": () => list.showModal(),
};

/** Keys in an editor: saves, or leaves it. */
function write(event) {
  const editor = event.target.closest("details");
  const isText = event.target.localName === "textarea";
  if (isText && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.target.form.requestSubmit();
  } else if (event.key === "Escape" && editor) {
    editor.open = false;
    (editor.closest(".card") ?? editor.querySelector("summary")).focus();
  }
}

/** Opens the palette, whose script is loaded when it is first used. */
async function openPalette() {
  const card = current();
  (await loaded("palette.js")).open(card);
}

document.getElementById("show-palette").addEventListener("click", openPalette);

/** What moves cards. */
const order = () => track(loaded("order.js"));

document.addEventListener("click", async ({ target }) => {
  const { move } = target.dataset ?? {};
  if (move) (await order()).step(target.closest(".card"), move);
});
let held = null;
document.addEventListener("pointerdown", async ({ target, pointerId, button }) => {
  const card = target.closest?.(".handle")?.closest(".card");
  if (!card || button) return;
  held = pointerId;
  const { drag } = await order();
  // It may be released before the script is loaded.
  if (held === pointerId) drag(card, pointerId);
});
for (const type of ["pointerup", "pointercancel"]) document.addEventListener(type, () => (held = null));

/** Alt and an arrow move the card that has the focus. */
async function moveBy(event) {
  const way = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  const card = current();
  if (!way || !card?.querySelector(".place")?.checkVisibility()) return;
  event.preventDefault();
  (await order()).step(card, way);
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    return openPalette();
  }
  if (event.target.matches(FIELDS)) return write(event);
  // A key that is held down must not decide about one draft after the other.
  if (event.repeat && !["j", "k"].includes(event.key)) return;
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey) return;
  if (event.altKey) return moveBy(event);
  if (event.key.length === 1 && !single.checked) return;
  if (isGoing && PLACES[event.key]) return location.assign(PLACES[event.key]);
  if (event.key === "Enter" && document.activeElement.matches(".card")) {
    return document.activeElement.querySelector("a")?.click();
  }
  const action = ACTIONS[event.key];
  if (action || press(event.key)) event.preventDefault();
  action?.();
});
