// The page of the account: authenticator apps, passkeys, addresses, and links from emails.

import { showOnce, tell } from "./act.js";
import { proven, send } from "./call.js";
import { drawObjects } from "./part.js";
import { say, word } from "./say.js";

const FACTORS = "/api/v1/me/second-factor";
const post = (path, body) => proven(() => send("POST", path, null, body));

/** Handles a form, also after it was drawn again. */
function on(id, work) {
  document.addEventListener("submit", async (event) => {
    if (event.target.id !== id) return;
    event.preventDefault();
    const button = event.submitter ?? event.target.querySelector("button");
    button.disabled = true;
    await Promise.resolve(work(event.target)).catch(() => say(word("failed"), { isBad: true }));
    button.disabled = false;
  });
}

/** Shows what changed, and new recovery codes once. */
async function changed({ status, body, ...rest }) {
  if (status !== 200) return tell({ status, body, ...rest });
  say(word("factor-added"));
  const isEnrolled = Boolean(document.getElementById("enrolling"));
  const goOn = () => isEnrolled && location.assign("/");
  if (body.recovery_codes.length) showOnce(body.recovery_codes, goOn);
  else goOn();
  if (!isEnrolled) await drawObjects(["account:factors", "account:sessions"]).catch(() => {});
}

on("add-passkey", async (form) => {
  const begun = await post(`${FACTORS}/passkeys`, {});
  if (begun.status !== 200) return tell(begun);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.body.options);
  const credential = (await navigator.credentials.create({ publicKey })).toJSON();
  const name = form.elements.name.value;
  await changed(await post(`${FACTORS}/passkeys/confirm`, { name, credential }));
});

const app = document.getElementById("totp");
const qr = document.getElementById("qr");
const secret = document.getElementById("totp-secret");

// Secrets do not stay in the page.
app.addEventListener("close", () => {
  qr.removeAttribute("src");
  secret.replaceChildren();
  app.querySelector("form").reset();
});

on("add-totp", async () => {
  const begun = await post(`${FACTORS}/totp`, {});
  if (begun.status !== 200) return tell(begun);
  qr.src = `data:image/svg+xml,${encodeURIComponent(begun.body.qr)}`;
  secret.textContent = begun.body.secret.replace(/.{4}(?=.)/g, "$& ");
  app.showModal();
});

on("confirm-totp", async (form) => {
  const answer = await post(`${FACTORS}/totp/confirm`, { code: form.elements.code.value });
  document.getElementById("totp-problem").textContent = answer.status === 200 ? "" : (answer.body.detail ?? word("failed"));
  if (answer.status !== 200) return;
  app.close();
  await changed(answer);
});

let flow = null;

on("change-address", async (form) => {
  const answer = await post("/api/v1/me/email", { email: form.elements.email.value });
  if (answer.status !== 200) return tell(answer);
  flow = answer.body.flow;
  const confirm = document.getElementById("confirm-address");
  confirm.hidden = false;
  confirm.elements.code.focus();
});

on("confirm-address", async (form) => {
  const answer = await post("/api/v1/me/email/confirm", { flow, code: form.elements.code.value });
  if (answer.status !== 200) return tell(answer);
  location.reload();
});

on("sign-out", async () => {
  const answer = await send("POST", "/api/v1/auth/logout", null, {});
  if (![200, 401].includes(answer.status)) return tell(answer);
  // What was being written is not for the next user of this browser.
  sessionStorage.clear();
  location.assign("/account");
});

/** Follows the link in an email: for this user, who asked for another address, or for another account. */
async function follow() {
  const [name, value] = location.hash.slice(1).split("=", 2);
  if (!value) return;
  // Secrets must not stay in the address.
  history.replaceState(null, "", "/account");
  const isOwn = name === "verify" && (await send("POST", "/api/v1/me/email/confirm", null, { link: value })).status === 200;
  if (isOwn) location.reload();
  else location.assign(`/account?as=visitor#${name}=${value}`);
}

addEventListener("hashchange", follow);
follow();
