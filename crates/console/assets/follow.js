// Publishes what was approved, as the user chose above the cards.

import { send } from "./call.js";
import { say, word } from "./say.js";
import { entered } from "./zone.js";

const choice = document.querySelector("#after fieldset");

/**
 * What is done with approved tweets: the body of the request to publish one, and the words for it.
 * Nothing if there is no time to schedule them for.
 */
export async function planned(chosen) {
  if (chosen === "publish") {
    return { body: { in_seconds: Number(choice.dataset.seconds) }, done: word("goes-out") };
  }
  const field = document.getElementById("after-at");
  if (!field.value) {
    field.focus();
    say(word("no-time"), { isBad: true });
    return null;
  }
  const at = await entered(field.value);
  return at ? { body: { at }, done: word("is-scheduled") } : null;
}

/**
 * Publishes approved tweets, each at the version that was approved. Returns what undoes that, and
 * the reasons why others were not published.
 */
export async function publish(tweets, { body }) {
  const { method, path, undo, undoPath } = choice.dataset;
  const steps = [];
  const reasons = [];
  for (const { id, version } of tweets) {
    const answer = await send(method, path.replace("{id}", id), version, body);
    const { post, detail } = answer.body;
    if (post) {
      const cancel = { method: undo, path: undoPath.replace("{id}", post.id), body: {} };
      steps.push({ ...cancel, version: post.version, base: version, objects: [`generated_tweet:${id}`] });
    } else {
      reasons.push(detail ?? word(answer.status ? "failed" : "offline"));
    }
  }
  return { steps, reasons };
}
