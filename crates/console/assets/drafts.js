// Keeps what is being written until it is saved: across reloads, crashes and the end of a session.

const KEY = "waggle-text:";

/** Forgets what was written in the fields of a form. */
export function forget(form) {
  for (const field of form.querySelectorAll("textarea")) sessionStorage.removeItem(KEY + field.id);
}

document.addEventListener("input", ({ target }) => {
  if (target.localName !== "textarea" || !target.id) return;
  const isWritten = target.value !== target.defaultValue;
  if (isWritten) sessionStorage.setItem(KEY + target.id, target.value);
  else sessionStorage.removeItem(KEY + target.id);
});

/** Puts back what was written, and opens its editor. */
for (const field of document.querySelectorAll("textarea[id]")) {
  const text = sessionStorage.getItem(KEY + field.id);
  if (text === null || text === field.defaultValue) continue;
  field.value = text;
  const editor = field.closest("details");
  if (editor) editor.open = true;
}
