// Sign-in, registration, mailed codes and links. The part of the address after the # is the view.

import { send } from "./call.js";
import { say, word } from "./say.js";

/** The path that the code is sent to, and its flow. They are kept only in this page. */
let pending = null;
/** The purpose and the token of the link in an email. */
let link = null;

const view = (name) => document.querySelector(`section[data-for="${name}"]`);

function show(name) {
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.dataset.for !== name;
    // Secrets must not stay in hidden views.
    if (section.hidden) for (const form of section.querySelectorAll("form")) form.reset();
  }
  view(name).querySelector("input")?.focus();
}

/** The page of this server that led to the sign-in. The server checked that it is one. */
const { returnTo } = document.body.dataset;

/** Goes on after a sign-in: with the second factor if it is needed, else to a page. */
function enter({ needs }) {
  if (needs === "second_factor") return show("second-factor");
  location.assign(needs === "second_factor_setup" ? "/account" : returnTo);
}

/** Calls an operation, and goes on with its answer or tells why it failed. */
async function call(path, body, then) {
  const answer = await send("POST", `/api/v1${path}`, null, body);
  if (answer.status === 200) return then(answer.body);
  const { status, wait } = answer;
  const why = status ? (answer.body.detail ?? word("failed")) : word("offline");
  say(status === 429 && wait ? `${why}. ${word("wait").replace("0", wait)}` : why, { isBad: true });
}

/** Handles a form, if the page has it: what is filled in, once at a time. */
function on(id, work) {
  const form = document.getElementById(id);
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    say("");
    const filled = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
    if (filled.revoke_tokens) filled.revoke_tokens = true;
    await Promise.resolve(work(filled)).catch(() => say(word("failed"), { isBad: true }));
    button.disabled = false;
  });
}

function askForCode(path, flow, needsPassword) {
  pending = { path, flow, needsPassword };
  for (const part of view("code").querySelectorAll(".with-password")) part.hidden = !needsPassword;
  view("code").querySelector("[name=password]").required = needsPassword;
  show("code");
}

function toSignIn() {
  history.replaceState(null, "", "/account#sign-in");
  show("sign-in");
  say(word("password"));
}

on("sign-in", (said) => call("/auth/login", said, enter));
on("google", () => call("/auth/google", { return_to: returnTo }, ({ url }) => location.assign(url)));
on("register", (said) =>
  call("/auth/register", said, ({ flow }) => askForCode("/auth/register/confirm", flow, false)));
on("reset", (said) =>
  call("/auth/password-reset", said, ({ flow }) => askForCode("/auth/password-reset/confirm", flow, true)));
on("code", (said) => {
  const { path, flow, needsPassword } = pending;
  return call(path, { ...said, flow }, needsPassword ? toSignIn : enter);
});
on("link", (said) => {
  const isReset = link.to === "reset";
  const path = isReset ? "/auth/password-reset/confirm" : "/auth/register/confirm";
  return call(path, { ...said, link: link.token }, isReset ? toSignIn : enter);
});
on("factor", (said) => call("/auth/second-factor", said, enter));
on("passkey", () =>
  call("/auth/second-factor/passkey", {}, async ({ options }) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = await navigator.credentials.get({ publicKey });
    await call("/auth/second-factor/passkey/confirm", { credential: credential.toJSON() }, enter);
  }));
on("sign-out", () =>
  call("/auth/logout", {}, () => {
    // What was being written is not for the next user of this browser.
    sessionStorage.clear();
    location.assign("/account");
  }));

/** Leads back to the sign-in after the number of seconds that the operator has set. */
function countDown(seconds) {
  document.getElementById("countdown").textContent = seconds;
  if (seconds <= 0) location.assign("/account");
  else setTimeout(() => countDown(seconds - 1), 1000);
}

function route() {
  const { view: wanted, backAfter } = document.body.dataset;
  const [name, value] = location.hash.slice(1).split("=", 2);
  if (value) {
    // Secrets must not stay in the address.
    history.replaceState(null, "", location.pathname + location.search);
    if (name === "google") return askForCode("/auth/google/confirm", value, false);
    if (name === "verify" || name === "reset") {
      link = { to: name, token: value };
      view("link").querySelector(".with-reset").hidden = name !== "reset";
      return show("link");
    }
  }
  if (wanted) {
    show(wanted);
    if (Number(backAfter) > 0) countDown(Number(backAfter));
    return;
  }
  show(["register", "reset"].includes(name) ? name : "sign-in");
}

addEventListener("hashchange", route);
route();
