// The palette: what one can do here and where one can go, found by typing.

import { word } from "./say.js";

const dialog = document.getElementById("palette");
const input = document.getElementById("palette-search");
const list = document.getElementById("palette-list");
/** Everything that can be chosen, and what of it fits what was typed. */
let all = [];
let fitting = [];
let active = 0;

/** The words of a control, without its key. */
function words(control) {
  if (control.ariaLabel) return control.ariaLabel;
  const copy = control.cloneNode(true);
  for (const part of copy.querySelectorAll("kbd, .hidden")) part.remove();
  return copy.textContent.trim();
}

/** What can be done with a card, and the pages. */
function collect(card) {
  const name = card?.querySelector("h2, h3")?.textContent.trim();
  const controls = [...(card?.querySelectorAll("form[data-op] > button, details > summary, [data-move]") ?? [])];
  const shown = controls.filter((control) => control.checkVisibility());
  const actions = shown.map((control) => ({ name: `${words(control)} · ${name}`, run: () => control.click() }));
  const links = [...document.querySelectorAll("header.bar a")];
  const pages = links.map((link) => ({ name: words(link), run: () => location.assign(link.href) }));
  return [...actions, ...pages];
}

/** A search, for what is nothing else. */
function search(text) {
  const run = () => location.assign(`/batches?search=${encodeURIComponent(text)}`);
  return { name: `${word("search")} “${text}”`, run };
}

function draw() {
  const text = input.value.trim();
  const parts = text.toLowerCase().split(/\s+/);
  fitting = all.filter(({ name }) => parts.every((part) => name.toLowerCase().includes(part)));
  if (text) fitting.push(search(text));
  active = Math.min(active, fitting.length - 1);
  list.replaceChildren(...fitting.map(({ name }, index) => {
    const option = document.createElement("li");
    option.id = `palette-${index}`;
    option.role = "option";
    option.ariaSelected = String(index === active);
    option.textContent = name;
    return option;
  }));
  input.setAttribute("aria-activedescendant", `palette-${active}`);
  list.children[active]?.scrollIntoView({ block: "nearest" });
}

function choose(index) {
  const chosen = fitting[index];
  dialog.close();
  chosen?.run();
}

/** Opens the palette, with what can be done with a card. */
export function open(card) {
  all = collect(card);
  input.value = "";
  active = 0;
  draw();
  dialog.showModal();
}

input.addEventListener("input", () => {
  active = 0;
  draw();
});
input.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    event.preventDefault();
    active = (active + by + fitting.length) % fitting.length;
    draw();
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    choose(active);
  }
});
list.addEventListener("click", ({ target }) => {
  const index = [...list.children].indexOf(target.closest("li"));
  if (index >= 0) choose(index);
});
