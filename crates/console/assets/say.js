// Tells the user what happened, in words of the page.

const place = document.getElementById("notice");

/** The text of a template of the page. */
export const word = (id) => document.getElementById(`say-${id}`).content.textContent.trim();

/** Shows a text. `undo`, if it is given, undoes what it tells. */
export function say(text, { isBad = false, undo = null } = {}) {
  place.replaceChildren(document.createElement("span"));
  place.firstChild.textContent = text;
  place.classList.toggle("bad", isBad);
  if (!undo) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = word("undo");
  button.addEventListener("click", undo);
  place.append(button);
}
