// Keeps the page true while others work: draws what changed again, and says when something arrived.

import { drawParts, isWritten, partsOf } from "./part.js";

/** How long changes are gathered before they are drawn, in milliseconds. */
const GATHER = 200;

const fresh = document.getElementById("fresh");
const news = fresh.dataset.news.split(" ");
/** The objects of whose changes people may be told, and after how long that is drawn. */
const TOLD = ["campaign_batch", "generated_tweet", "post", "source_tweets", "run"];
const LATER = 1000;
let isTelling = false;
/** The objects that changed, with their versions. */
const changed = new Map();
let stream = null;
let wasLeft = false;

/** Draws parts again, except those in which somebody is writing. */
function redraw(parts) {
  drawParts(parts.filter((part) => !isWritten(part)), true).catch(() => {});
}

/** Whether a part shows this version of an object already, or a later one. */
const isShown = (part, object, version) =>
  part.dataset.objects.split(" ")[0] === object && Number(part.dataset.shows) >= version;

/** Draws the parts again that show what changed. */
function drawChanged() {
  const parts = [...changed].flatMap(([object, version]) => {
    return partsOf(object).filter((part) => !(version && isShown(part, object, version)));
  });
  changed.clear();
  redraw([...new Set(parts)]);
}

function noticed({ kind, object_kind: of, object_id: id, version }) {
  if (!changed.size) setTimeout(drawChanged, GATHER);
  changed.set(`${of}:${id}`, version);
  if (news.includes(kind)) fresh.hidden = false;
  if (!TOLD.includes(of) || isTelling) return;
  isTelling = true;
  setTimeout(() => {
    isTelling = false;
    redraw(partsOf("notifications:unread"));
  }, LATER);
}

/** Follows the changes while the page is seen. */
function follow() {
  if (document.hidden || !document.body.dataset.user) {
    stream?.close();
    stream = null;
    wasLeft = true;
  } else if (!stream) {
    stream = new EventSource("/api/v1/changes");
    stream.onmessage = (message) => noticed(JSON.parse(message.data));
    // What happened while nobody looked was missed.
    if (wasLeft) redraw([...document.querySelectorAll("[data-from]")]);
  }
}

document.addEventListener("visibilitychange", follow);
follow();
