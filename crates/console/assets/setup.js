// Creates the first admin with the token of the set-up link.

import { send } from "./call.js";
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
  const answer = await send("POST", "/api/v1/setup", null, body);
  if (answer.status === 200) return location.replace("/");
  say(answer.status ? (answer.body.detail ?? word("failed")) : word("offline"), { isBad: true });
  button.disabled = false;
});
