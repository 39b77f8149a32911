// Asks the user to authenticate again where an operation requires it.

import { send } from "./send.js";

const dialog = document.getElementById("proof");
const form = document.getElementById("prove");
const problem = document.getElementById("proof-problem");

const post = (path, body) => send("POST", `/api/v1/auth/${path}`, null, body);

async function withPasskey() {
  const { body } = await post("second-factor/passkey", {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(body.options);
  const credential = await navigator.credentials.get({ publicKey });
  return post("second-factor/passkey/confirm", { credential: credential.toJSON() });
}

/** Asks for the second factor, or for the password if the user has none. Returns whether it came. */
async function prove() {
  const { body } = await send("GET", "/api/v1/me/second-factor");
  const hasPasskey = body.passkeys?.length > 0 && Boolean(globalThis.PublicKeyCredential);
  const kind = body.has_totp || body.passkeys?.length > 0 ? "code" : "password";
  for (const part of form.querySelectorAll("[data-for]")) {
    part.hidden = part.dataset.for === "passkey" ? !hasPasskey : part.dataset.for !== kind;
    for (const field of part.querySelectorAll("input")) field.required = !part.hidden;
  }
  form.reset();
  problem.textContent = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const answered = async (event) => {
      event.preventDefault();
      const { value } = event.submitter ?? {};
      if (value === "cancel") return dialog.close();
      const said = { [kind]: form.elements[kind].value };
      const path = kind === "code" ? "second-factor" : "confirm";
      const answer = await (value === "passkey" ? withPasskey() : post(path, said)).catch(() => ({ body: {} }));
      if (answer.status === 200) return dialog.close("proven");
      problem.textContent = answer.body.detail ?? problem.dataset.failed;
    };
    form.addEventListener("submit", answered);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", answered);
      form.reset();
      resolve(dialog.returnValue === "proven");
    }, { once: true });
    dialog.returnValue = "";
  });
}

/** Calls an operation. If it requires a recent authentication, asks for one and calls it again. */
export async function proven(call) {
  const answer = await call();
  if (answer.body.needs !== "recent_authentication" || !(await prove())) return answer;
  return call();
}
