// Moves a card among the cards of its batch: by a step, or to where it is dragged.

import { perform, track } from "./act.js";
import { say, word } from "./say.js";

/** How close to the edge of the window the page scrolls while a card is dragged, and by how much. */
const EDGE = 64;
const SCROLL = 24;
/** What is being moved: one card after the other. */
let moving = Promise.resolve();

/** The cards of the same batch, in the order of the page. */
function cardsOf({ dataset: { many } }) {
  return [...document.querySelectorAll(".card")].filter(({ dataset }) => dataset.many === many);
}

const place = (card) => card.querySelector(".place").dataset;

/**
 * Puts a card before or after another one. What has the focus keeps it. Meanwhile, the cards may
 * have been drawn again, so they are looked up.
 */
function put(card, side, neighbor) {
  const [moved, other] = [card, neighbor].map(({ id }) => document.getElementById(id));
  const focused = document.activeElement;
  if (moved) other?.[side](moved);
  focused.focus();
}

/** Where a card is on the page: on one side of a neighbor. */
function whereIs(card) {
  const cards = cardsOf(card);
  const at = cards.indexOf(card);
  return cards[at + 1] ? ["before", cards[at + 1]] : ["after", cards[at - 1]];
}

/**
 * Moves a card before or after another one of its batch. The server tells what undoes that, because
 * the page may show only some tweets of the batch.
 */
async function move(card, side, neighbor) {
  const { method, path, object, done } = place(card);
  const back = whereIs(card);
  const body = { [side]: Number(place(neighbor).object) };
  const before = () => put(card, side, neighbor);
  const outcome = ({ was }) => {
    const step = { method, path, body: was, objects: [`generated_tweet:${object}`] };
    return { done, undo: was ? [{ ...step, restore: () => put(card, ...back) }] : [] };
  };
  await perform({ method, path, body }, [], outcome, { before });
}

/** Moves a card when those before it are moved. `find` finds then where to, as a side and a card. */
function queue({ id }, find) {
  const work = () => {
    const card = document.getElementById(id);
    const [side, neighbor] = card ? find(card) : [];
    return neighbor && move(card, side, neighbor);
  };
  moving = track(moving.then(work, work));
}

/** Moves a card up or down by one. */
export function step(card, way) {
  queue(card, (card) => {
    const cards = cardsOf(card);
    const neighbor = cards[cards.indexOf(card) + (way === "up" ? -1 : 1)];
    if (!neighbor) say(word(way === "up" ? "first" : "last"));
    return [way === "up" ? "before" : "after", neighbor];
  });
}

/** Drags a card with a pointer until that is released, or Escape is pressed. */
export function drag(card, id) {
  let over = null;
  let side = "";
  const mark = (next, nextSide) => {
    over?.classList.remove("before", "after");
    [over, side] = [next, nextSide];
    over?.classList.add(side);
  };
  const listening = new AbortController();
  const end = () => {
    listening.abort();
    mark(null, "");
    card.classList.remove("moves");
  };
  const moved = ({ clientX, clientY, buttons }) => {
    // It was released outside of the window.
    if (!buttons) return end();
    if (clientY < EDGE) scrollBy(0, -SCROLL);
    else if (clientY > innerHeight - EDGE) scrollBy(0, SCROLL);
    const found = document.elementFromPoint(clientX, clientY)?.closest(".card");
    if (!found || found.id === card.id || !cardsOf(card).includes(found)) return mark(null, "");
    const { top, height } = found.getBoundingClientRect();
    mark(found, clientY < top + height / 2 ? "before" : "after");
  };
  const dropped = () => {
    const [neighbor, where] = [over, side];
    end();
    if (neighbor) queue(card, () => [where, document.getElementById(neighbor.id)]);
  };
  const on = (type, act, matches) => {
    const listener = (event) => matches(event) && act(event);
    document.addEventListener(type, listener, { signal: listening.signal });
  };
  const isOwn = ({ pointerId }) => pointerId === id;
  card.classList.add("moves");
  on("pointermove", moved, isOwn);
  on("pointerup", dropped, isOwn);
  on("pointercancel", end, isOwn);
  on("keydown", end, ({ key }) => key === "Escape");
}
