// Keeps the page true while others work: draws what changed again, and says when something arrived.

import { drawAgain, isWritten, load, partsOf } from "./part.js";

/** How long changes are gathered before they are drawn, in milliseconds. */
const GATHER = 200;

const fresh = document.getElementById("fresh");
const news = fresh.dataset.news.split(" ");
const changed = new Set();
let stream = null;
let wasLeft = false;

/** Draws a part again, unless somebody is writing in it. */
function redraw(part) {
  if (!isWritten(part)) drawAgain(part, load(part.dataset.from, true)).catch(() => {});
}

/** Draws the parts again that show what changed. */
function drawChanged() {
  const parts = new Set([...changed].flatMap(partsOf));
  changed.clear();
  parts.forEach(redraw);
}

function noticed({ kind, object_kind: of, object_id: id }) {
  if (!changed.size) setTimeout(drawChanged, GATHER);
  changed.add(`${of}:${id}`);
  if (news.includes(kind)) fresh.hidden = false;
}

/** Follows the changes while the page is seen. */
function follow() {
  if (document.hidden) {
    stream?.close();
    stream = null;
    wasLeft = true;
  } else if (!stream) {
    stream = new EventSource("/api/v1/changes");
    stream.onmessage = (message) => noticed(JSON.parse(message.data));
    // What happened while nobody looked was missed.
    if (wasLeft) document.querySelectorAll("[data-from]").forEach(redraw);
  }
}

document.addEventListener("visibilitychange", follow);
follow();
