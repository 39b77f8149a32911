// Draws a part of the page again, as the server draws it.

const policy = globalThis.trustedTypes?.createPolicy("waggle", { createHTML: (text) => text });

/**
 * The document that the server sends for a path. What a page loads by itself does not keep the
 * session from ending.
 */
export async function load(path, isByItself = false) {
  const headers = { Accept: "text/html", ...(isByItself && { "Waggle-Background": "1" }) };
  const response = await fetch(path, { headers });
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  const text = await response.text();
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
}

/** Whether somebody is writing in a part. */
export function isWritten(part) {
  const fields = [...part.querySelectorAll("textarea")];
  return fields.some((field) => field.value !== field.defaultValue);
}

/**
 * Replaces a part by what its page shows now. The focus stays in it, and so does an open editor with
 * what was written there.
 */
export async function drawAgain(part, page = load(part.dataset.from)) {
  const found = (await page).getElementById(part.id);
  if (!found || !part.isConnected) return part;
  const fresh = document.adoptNode(found);
  const hadFocus = part.contains(document.activeElement);
  const isInEditor = document.activeElement.localName === "textarea";
  const isOpen = part.querySelector("details")?.open;
  const written = isWritten(part) ? part.querySelector("textarea").value : null;
  part.replaceWith(fresh);
  const field = fresh.querySelector("textarea");
  if (field && written !== null) field.value = written;
  if (field && isOpen) field.closest("details").open = true;
  if (hadFocus) (field && isOpen && isInEditor ? field : fresh).focus();
  return fresh;
}

/** Draws all parts again that show an object. */
export function drawObject(kind, id) {
  const parts = document.querySelectorAll(`[data-kind="${kind}"][data-object="${id}"]`);
  const pages = {};
  const page = ({ from }) => (pages[from] ??= load(from));
  return Promise.all([...parts].map((part) => drawAgain(part, page(part.dataset))));
}
