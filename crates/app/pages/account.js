// The pages of the door: which one is shown stands behind the # of the address.

const notice = document.getElementById("notice");

/** Where a code is sent back to, and with which flow. Kept in this page alone. */
let pending = null;
/** What a mail's link brought. */
let link = null;

function say(text, isBad = false) {
  notice.textContent = text;
  notice.classList.toggle("bad", isBad);
}

function show(view) {
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.dataset.for !== view;
  }
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
    throw new Error((answer.message || "that did not work") + again);
  }
  return answer;
}

/** Does `work` with what a form says, once at a time, and says what went wrong. */
function on(id, work) {
  const form = document.getElementById(id);
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

async function showMe() {
  const me = await call("GET", "/me");
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

on("sign-out", async () => {
  await call("POST", "/auth/logout");
  location.hash = "sign-in";
  route();
});

/** Back to the first page, after as many seconds as the operator says. */
function countDown(seconds) {
  const place = document.getElementById("countdown");
  const tick = () => {
    place.textContent = `You are led back in ${seconds} seconds.`;
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
    // What is secret does not stay in the address.
    history.replaceState(null, "", "/account");
    if (name === "google") return askForCode("/auth/google/confirm", value, false);
    if (name === "verify" || name === "reset") return followLink(name, value);
  }
  if (name === "register" || name === "reset") return show(name);
  if (name === "sign-in") return show("sign-in");
  try {
    await showMe();
  } catch {
    show("sign-in");
  }
}

/** A mail's link: of somebody who is signed in here and asked for another address, or for an account of its own. */
async function followLink(to, token) {
  link = { to, token };
  const me = await call("GET", "/me").catch(() => null);
  if (me && to === "verify") {
    try {
      const user = await call("POST", "/me/email/confirm", { link: token });
      say(`Your address is ${user.email} from now on.`);
      return showMe();
    } catch {
      // It is for a new account.
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
