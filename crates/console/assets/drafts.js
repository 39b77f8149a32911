// Keeps what is being written until it is saved: across reloads, crashes and the end of a session.

const KEY = "waggle-text:";
/** What another user of this tab wrote is not shown. */
const mine = `${KEY}${document.body.dataset.user}:`;

/** Forgets what was written in the fields of a form. */
export function forget(form) {
  for (const field of form.querySelectorAll("textarea")) sessionStorage.removeItem(mine + field.id);
}

document.addEventListener("input", ({ target }) => {
  if (target.localName !== "textarea" || !target.id) return;
  const kept = { text: target.value, version: target.form.dataset.version };
  if (target.value === target.defaultValue) sessionStorage.removeItem(mine + target.id);
  else sessionStorage.setItem(mine + target.id, JSON.stringify(kept));
});

/**
 * Puts back what was written, and opens its editor. It is saved over the version that it was written
 * on: if somebody has changed the text since, that is a conflict.
 */
function restore(field) {
  const kept = sessionStorage.getItem(mine + field.id);
  if (kept === null) return;
  const { text, version } = JSON.parse(kept);
  if (text === field.defaultValue) return;
  field.value = text;
  field.form.dataset.version = version;
  const editor = field.closest("details");
  if (editor) editor.open = true;
}

for (const key of Object.keys(sessionStorage)) {
  if (key.startsWith(KEY) && !key.startsWith(mine)) sessionStorage.removeItem(key);
}
document.querySelectorAll("textarea[id]").forEach(restore);
