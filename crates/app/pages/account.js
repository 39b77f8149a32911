// The account pages. The part of the URL after the # selects the page.

const notice = document.getElementById("notice");

/** The path that the code is sent to, and its flow. They are kept only in this page. */
let pending = null;
/** The purpose and the token of the link in an email. */
let link = null;

function say(text, isBad = false) {
  notice.textContent = text;
  notice.classList.toggle("bad", isBad);
}

/** What to do after the user has authenticated again. */
let afterProof = null;

function show(view) {
  // A user who opens another view no longer wants this, and may be another person by now.
  if (view !== "second-factor" && view !== "confirm") afterProof = null;
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.dataset.for !== view;
    // Secrets must not stay in hidden views.
    if (section.hidden) for (const form of section.querySelectorAll("form")) form.reset();
  }
  if (view !== "totp") {
    document.getElementById("qr").removeAttribute("src");
    document.getElementById("secret").textContent = "";
  }
  if (view !== "recovery") document.getElementById("recovery-codes").textContent = "";
  document.querySelector(`section[data-for="${view}"] input`)?.focus();
}

async function call(method, path, body) {
  const request = { method, headers: {} };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await fetch(`/api/v1${path}`, request);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const wait = response.headers.get("Retry-After");
    const again = response.status === 429 && wait ? ` (in ${wait} seconds)` : "";
    throw Object.assign(new Error((answer.message || "the request failed") + again), { needs: answer.needs });
  }
  return answer;
}

/** Runs `work`. If it requires a recent authentication, asks for one first. */
async function proven(work) {
  try {
    await work();
  } catch (error) {
    if (error.needs !== "recent_authentication") throw error;
    afterProof = work;
    show((await hasFactor()) ? "second-factor" : "confirm");
  }
}

async function hasFactor() {
  const { has_totp, passkeys } = await call("GET", "/me/second-factor");
  return has_totp || passkeys.length > 0;
}

/** Continues after the user has authenticated: with the pending work, or with the account page. */
async function goOn() {
  const work = afterProof;
  afterProof = null;
  await (work ? work() : showMe());
}

/** Runs `work` with the fields of a form, once at a time, and shows the error if it fails. */
function on(id, work) {
  onForm(document.getElementById(id), work);
}

function onForm(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    say("");
    try {
      const filled = [...new FormData(form)].filter(([, value]) => value !== "");
      const said = Object.fromEntries(filled);
      if (said.revoke_tokens) said.revoke_tokens = true;
      await work(said);
      form.reset();
    } catch (error) {
      say(error.message, true);
    } finally {
      button.disabled = false;
    }
  });
}

function askForCode(path, flow, needsPassword) {
  pending = { path, flow, needsPassword };
  for (const field of document.querySelectorAll("#code .with-password")) field.hidden = !needsPassword;
  document.querySelector("#code [name=password]").required = needsPassword;
  show("code");
}

/** The page that led to the sign-in, if it is one of this server. */
const returnTo = (() => {
  const wanted = new URLSearchParams(location.search).get("return_to");
  if (!wanted) return null;
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin && wanted.startsWith("/") ? url.pathname + url.search : null;
})();

async function showMe() {
  let me;
  try {
    me = await call("GET", "/me");
  } catch (error) {
    if (error.needs === "second_factor") {
      afterProof = null;
      return show("second-factor");
    }
    if (error.needs === "second_factor_setup") return showFactors();
    throw error;
  }
  if (returnTo) return location.assign(returnTo);
  document.getElementById("who").textContent = `${me.user.username} (${me.user.email}), ${me.user.role}`;
  history.replaceState(null, "", "/account");
  show("me");
}

on("sign-in", async (said) => {
  await call("POST", "/auth/login", said);
  await showMe();
});

on("google", async () => {
  const { url } = await call("POST", "/auth/google", {});
  location.assign(url);
});

on("register", async (said) => {
  const { flow } = await call("POST", "/auth/register", said);
  askForCode("/auth/register/confirm", flow, false);
});

on("reset", async (said) => {
  const { flow } = await call("POST", "/auth/password-reset", said);
  askForCode("/auth/password-reset/confirm", flow, true);
});

on("code", async (said) => {
  const { path, flow, needsPassword } = pending;
  await call("POST", path, { ...said, flow });
  if (needsPassword) {
    location.hash = "sign-in";
    say("Your password was changed. Sign in with it.");
  } else {
    await showMe();
  }
});

on("link", async (said) => {
  const path = link.to === "reset" ? "/auth/password-reset/confirm" : "/auth/register/confirm";
  await call("POST", path, { ...said, link: link.token });
  if (link.to === "reset") {
    location.hash = "sign-in";
    say("Your password was changed. Sign in with it.");
  } else {
    await showMe();
  }
});

for (const form of document.querySelectorAll(".sign-out")) {
  onForm(form, async () => {
    await call("POST", "/auth/logout");
    // What was being written is not for the next user of this browser.
    sessionStorage.clear();
    location.hash = "sign-in";
    route();
  });
}

on("factor", async (said) => {
  await call("POST", "/auth/second-factor", said);
  await goOn();
});

on("confirm", async (said) => {
  await call("POST", "/auth/confirm", said);
  await goOn();
});

for (const form of document.querySelectorAll(".passkey")) {
  onForm(form, async () => {
    const { options } = await call("POST", "/auth/second-factor/passkey", {});
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = await navigator.credentials.get({ publicKey });
    await call("POST", "/auth/second-factor/passkey/confirm", { credential: credential.toJSON() });
    await goOn();
  });
}

/** Shows the second factors of the user. */
async function showFactors() {
  const state = await call("GET", "/me/second-factor");
  const { has_totp: hasTotp, passkeys, recovery_codes_left: left } = state;
  const isOn = hasTotp || passkeys.length > 0;
  const app = hasTotp ? "You have an authenticator app." : "You have no authenticator app.";
  document.getElementById("factor-state").textContent = isOn
    ? `${app} ${left} recovery codes are left.`
    : "You have no second factor. It protects your account if somebody finds out your password.";
  document.getElementById("required").hidden = isOn || !state.is_required;
  document.getElementById("back-to-me").hidden = !isOn && state.is_required;
  document.getElementById("add-totp").hidden = hasTotp;
  document.getElementById("remove-totp").hidden = !hasTotp;
  document.getElementById("renew").hidden = !isOn;
  document.getElementById("add-passkey").hidden = !state.can_have_passkeys || !window.PublicKeyCredential;
  document.getElementById("passkeys").replaceChildren(...passkeys.map(passkeyRow));
  show("factors");
}

function passkeyRow({ id, name, last_used_at: used }) {
  const [row, text, button] = ["li", "span", "button"].map((tag) => document.createElement(tag));
  text.textContent = `${name}, ${used ? `last used ${new Date(used).toLocaleString()}` : "not used yet"}`;
  button.textContent = "Remove";
  button.className = "plain";
  button.addEventListener("click", () =>
    proven(async () => {
      await call("DELETE", `/me/second-factor/passkeys/${id}`);
      await showFactors();
    }).catch((error) => say(error.message, true)),
  );
  row.append(text, " ", button);
  return row;
}

async function showRecovery(codes) {
  if (codes.length === 0) return showFactors();
  document.getElementById("recovery-codes").textContent = codes.join("\n");
  show("recovery");
}

on("add-passkey", (said) =>
  proven(async () => {
    const { options } = await call("POST", "/me/second-factor/passkeys", {});
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    const credential = (await navigator.credentials.create({ publicKey })).toJSON();
    const added = await call("POST", "/me/second-factor/passkeys/confirm", { ...said, credential });
    await showRecovery(added.recovery_codes);
  }),
);

on("add-totp", () =>
  proven(async () => {
    const { secret, qr } = await call("POST", "/me/second-factor/totp", {});
    document.getElementById("qr").src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
    document.getElementById("secret").textContent = secret.replace(/.{4}(?=.)/g, "$& ");
    show("totp");
  }),
);

on("totp", (said) =>
  proven(async () => {
    const { recovery_codes: codes } = await call("POST", "/me/second-factor/totp/confirm", said);
    await showRecovery(codes);
  }),
);

on("remove-totp", () =>
  proven(async () => {
    await call("DELETE", "/me/second-factor/totp");
    await showFactors();
  }),
);

on("renew", () =>
  proven(async () => {
    const { recovery_codes: codes } = await call("POST", "/me/second-factor/recovery-codes", {});
    await showRecovery(codes);
  }),
);

on("kept", showFactors);

/** Returns to the account page after the number of seconds that the operator has set. */
function countDown(seconds) {
  const place = document.getElementById("countdown");
  const tick = () => {
    place.textContent = `You will be redirected in ${seconds} seconds.`;
    if (seconds <= 0) location.assign("/account");
    seconds -= 1;
  };
  tick();
  setInterval(tick, 1000);
}

async function route() {
  const { view, backAfter } = document.documentElement.dataset;
  if (view) {
    show(view);
    if (Number(backAfter) > 0) countDown(Number(backAfter));
    return;
  }
  const [name, value] = location.hash.slice(1).split("=", 2);
  if (value) {
    // Secrets must not stay in the URL.
    history.replaceState(null, "", "/account");
    if (name === "google") return askForCode("/auth/google/confirm", value, false);
    if (name === "verify" || name === "reset") return followLink(name, value);
  }
  if (name === "register" || name === "reset") return show(name);
  if (name === "sign-in") return show("sign-in");
  if (name === "factors") return showFactors().catch(() => show("sign-in"));
  try {
    await showMe();
  } catch {
    show("sign-in");
  }
}

/**
 * Follows the link in an email: either for the signed-in user, who requested another address, or
 * for another account.
 */
async function followLink(to, token) {
  link = { to, token };
  const me = await call("GET", "/me").catch(() => null);
  if (me && to === "verify") {
    try {
      const user = await call("POST", "/me/email/confirm", { link: token });
      say(`Your address is now ${user.email}.`);
      return showMe();
    } catch {
      // The link is for a new account.
    }
  }
  const already = document.getElementById("already");
  already.hidden = !me;
  already.textContent = me ? `You are signed in as ${me.user.email}. This link is for another account.` : "";
  document.querySelector("#link .with-reset").hidden = to !== "reset";
  show("link");
}

addEventListener("hashchange", route);
route();
