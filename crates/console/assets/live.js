// Keeps the page true while others work: draws what changed again, and says when something arrived.

import { drawAgain, isWritten, load } from "./part.js";

const fresh = document.getElementById("fresh");
let stream = null;
let wasLeft = false;

/** Draws a part again, unless somebody is writing in it. */
function redraw(part) {
  if (!isWritten(part)) drawAgain(part, load(part.dataset.from, true)).catch(() => {});
}

function changed({ kind, object_kind: of, object_id: id }) {
  document.querySelectorAll(`[data-kind="${of}"][data-object="${id}"]`).forEach(redraw);
  if (kind === "batch.received") fresh.hidden = false;
}

/** Follows the changes while the page is seen. */
function follow() {
  if (document.hidden) {
    stream?.close();
    stream = null;
    wasLeft = true;
  } else if (!stream) {
    stream = new EventSource("/api/v1/changes");
    stream.onmessage = (message) => changed(JSON.parse(message.data));
    // What happened while nobody looked was missed.
    if (wasLeft) document.querySelectorAll("[data-from]").forEach(redraw);
  }
}

document.addEventListener("visibilitychange", follow);
follow();
