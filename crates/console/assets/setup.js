// Creates the first admin with the token of the set-up link.

import { say, word } from "./say.js";

const form = document.getElementById("setup");
const token = location.hash.slice(1);

form.hidden = !token;
document.getElementById("no-token").hidden = Boolean(token);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const fields = Object.fromEntries(new FormData(form));
  const body = { ...fields, username: fields.username || null, token };
  button.disabled = true;
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/api/v1/setup", { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.ok) return location.replace("/");
    const problem = await answer.json().catch(() => ({}));
    say(problem.detail ?? word("failed"), { isBad: true });
  } catch {
    say(word("offline"), { isBad: true });
  }
  button.disabled = false;
});
