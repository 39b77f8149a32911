// Publishes what was approved, as the user chose above the cards.

import { send } from "./call.js";
import { say, word } from "./say.js";
import { entered } from "./zone.js";

const choice = document.querySelector("#after fieldset");

/**
 * What is done with approved tweets: when they are published, and the words for it. Nothing if there
 * is no time to schedule them for.
 */
export async function planned(chosen) {
  if (chosen === "publish") {
    return { when: { in_seconds: Number(choice.dataset.seconds) }, done: word("goes-out") };
  }
  const field = document.getElementById("after-at");
  const at = field.value && (await entered(field.value));
  const isPast = at && Date.parse(at) <= Date.now();
  if (!field.value || isPast) {
    field.focus();
    say(word(isPast ? "past" : "no-time"), { isBad: true });
  }
  return at && !isPast ? { when: { at }, done: word("is-scheduled") } : null;
}

/**
 * Publishes approved tweets, each at the version that was approved, in one call: until it is
 * answered, nothing of it can be undone. Returns the answer, and the step that undoes it.
 */
export async function publish(tweets, when) {
  const { method, path, undo, undoPath } = choice.dataset;
  const seen = tweets.map(({ id, version }) => ({ id, version }));
  const answer = await send(method, path, null, { tweets: seen, ...when }, true);
  const posts = answer.body.queued ?? [];
  if (!posts.length) return { answer, step: [] };
  const name = (id) => `generated_tweet:${id}`;
  const body = { posts: posts.map(({ id, version }) => ({ id, version })) };
  const bases = Object.fromEntries(seen.map(({ id, version }) => [name(id), version]));
  const objects = posts.map(({ twitter }) => name(twitter.generated_tweet_id));
  return { answer, step: [{ method: undo, path: undoPath, body, objects, bases }] };
}
