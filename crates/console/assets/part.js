// Draws a part of the page again, as the server draws it.

const policy = globalThis.trustedTypes?.createPolicy("waggle", { createHTML: (text) => text });
/** How many parts are drawn from a page of their own. */
const FEW = 3;
export const FIELDS = "textarea,input,select";

/**
 * The document that the server sends for a path. What a page loads by itself does not keep the
 * session from ending.
 */
export async function load(path, isByItself = false) {
  const headers = { Accept: "text/html", ...(isByItself && { "Waggle-Background": "1" }) };
  const response = await fetch(path, { headers });
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  const text = await response.text();
  const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
  // The session has ended: this is the sign-in.
  if (document.body.dataset.user && !page.body.dataset.user) throw new Error("signed out");
  return page;
}

/** Whether somebody changed a field since the page was drawn. */
function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") {
    return field.checked !== field.defaultChecked;
  }
  if (field.localName === "select") {
    return [...field.options].some((option) => option.selected !== option.defaultSelected);
  }
  return field.value !== field.defaultValue;
}

/** Whether somebody is writing in a part. */
export const isWritten = (part) => [...part.querySelectorAll(FIELDS)].some(isChanged);

/** What was sent is no longer what somebody is writing. A secret does not stay in the page. */
export function settle(form) {
  for (const field of form.querySelectorAll(FIELDS)) {
    if (field.type === "password") field.value = "";
    else if ("defaultValue" in field) field.defaultValue = field.value;
  }
}

/** The parts of the page that show an object, by its name as in `generated_tweet:7`. */
export const partsOf = (object) => [...document.querySelectorAll(`[data-objects~="${object}"]`)];

/**
 * Replaces a part by what its page shows now. The focus stays in it, and so do open editors with
 * what was written there.
 */
export async function drawAgain(part, page = load(part.dataset.from)) {
  const drawn = part;
  const found = (await page).getElementById(drawn.id);
  // Meanwhile, the part may have been drawn by somebody else.
  part = drawn.isConnected ? drawn : document.getElementById(drawn.id);
  if (!part) return drawn;
  if (!found) {
    part.remove();
    return null;
  }
  const fresh = document.adoptNode(found);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  for (const old of part.querySelectorAll("details[id]")) {
    const details = fresh.querySelector(`#${CSS.escape(old.id)}`);
    if (details) details.open = old.open;
  }
  for (const old of part.querySelectorAll(FIELDS)) {
    const field = old.id && isChanged(old) && fresh.querySelector(`#${CSS.escape(old.id)}`);
    if (field) field.value = old.value;
  }
  fresh.classList.toggle("out", part.classList.contains("out"));
  part.replaceWith(fresh);
  if (focused) {
    const same = focused.matches(FIELDS) && fresh.querySelector(`#${CSS.escape(focused.id)}`);
    (same && same.checkVisibility() ? same : fresh).focus();
  }
  return fresh;
}

/**
 * Draws parts again. Each page is loaded once. Where many parts have a common page (`data-many`),
 * that is loaded instead of a page for each.
 */
export async function drawParts(parts, isByItself = false) {
  const pages = {};
  const page = (path) => (pages[path] ??= load(path, isByItself));
  const common = Map.groupBy(parts.filter((part) => part.dataset.many), (part) => part.dataset.many);
  const draw = async (part) => {
    const { from, many } = part.dataset;
    const all = common.get(many)?.length > FEW ? await page(many) : null;
    const isThere = all?.getElementById(part.id);
    // The document gives the element away, so each part has to be drawn from it once only.
    return drawAgain(part, isThere ? all : page(from));
  };
  return Promise.all(parts.map(draw));
}

/** Draws all parts again that show one of these objects. */
export const drawObjects = (objects) => drawParts([...new Set(objects.flatMap(partsOf))]);
