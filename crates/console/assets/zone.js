// Time zones: what people enter is in theirs, what is sent is in UTC.

import { say, word } from "./say.js";

const DAY = 86_400_000;
const zone = document.querySelector("[data-zone]").dataset.zone;

/** What the clocks of a zone show at a time, as in `2026-11-26T08:00`. */
function shown(time, timeZone) {
  const options = { timeZone, dateStyle: "short", timeStyle: "short" };
  return new Intl.DateTimeFormat("sv-SE", options).format(time).replace(" ", "T");
}

/** The times at which the clocks of a zone show this: none if they skip it, two if they show it twice. */
export function timesOf(local, timeZone = zone) {
  const inUtc = Date.parse(`${local}Z`);
  if (Number.isNaN(inUtc)) return [];
  const times = [inUtc - DAY, inUtc + DAY].map((near) => {
    const offset = Date.parse(`${shown(near, timeZone)}Z`) - Math.floor(near / 60_000) * 60_000;
    return inUtc - offset;
  });
  const fitting = times.filter((time) => shown(time, timeZone) === local);
  return [...new Set(fitting)].sort((a, b) => a - b).map((time) => new Date(time).toISOString());
}

/** Asks which of two times is meant. */
function ask(times) {
  const dialog = document.getElementById("twice");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(times[dialog.returnValue]), { once: true });
  });
}

/** Whether the browser knows a zone. Its list may be older than that of the server. */
function isKnown(timeZone) {
  try {
    shown(0, timeZone);
    return true;
  } catch {
    return false;
  }
}

/** The time that somebody entered, in UTC; nothing if the clocks do not show it. */
export async function entered(local) {
  const times = isKnown(zone) ? timesOf(local) : [];
  if (!times.length) say(word(isKnown(zone) ? "skipped" : "zone"), { isBad: true });
  return times.length > 1 ? ask(times) : times[0];
}

/** Offers the zone of the browser, if its clocks differ. */
function offer() {
  const strip = document.getElementById("other-zone");
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (!strip || !isKnown(zone)) return;
  const isSame = (time) => shown(time, timeZone) === shown(time, zone);
  const now = Date.now();
  const isDismissed = localStorage.getItem("waggle-zone") === timeZone;
  if (isDismissed || (isSame(now) && isSame(now + 182 * DAY))) return;
  strip.querySelector("strong").textContent = timeZone;
  strip.querySelector("[name=time_zone]").value = timeZone;
  strip.querySelector("[type=button]").addEventListener("click", () => {
    localStorage.setItem("waggle-zone", timeZone);
    strip.hidden = true;
  });
  strip.hidden = false;
}

offer();
