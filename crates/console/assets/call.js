// Calls operations of the API, and asks the user to authenticate again where one requires it.

const dialog = document.getElementById("proof");
const form = document.getElementById("prove");
const problem = document.getElementById("proof-problem");

/**
 * Calls an operation. Returns the status, the body, and after how many seconds it can be called
 * again, if that is limited. A status of 0 means that nothing was sent. With `keepalive`, it is
 * sent even if the page is left.
 */
export async function send(method, path, version, body, keepalive = false) {
  const headers = { "Content-Type": "application/json" };
  if (version) headers["If-Match"] = version;
  try {
    const sent = { method, headers, keepalive, body: body && JSON.stringify(body) };
    const response = await fetch(path, sent);
    const wait = response.headers.get("Retry-After");
    return { status: response.status, wait, body: await response.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
}

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
