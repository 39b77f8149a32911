// Compares two texts word by word.

/** The longest texts that are compared, in words. */
const MOST = 600;

const words = (text) => text.split(/(\s+)/).filter(Boolean);

/** The lengths of the longest common parts of all ends of two lists. */
function lengths(a, b) {
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

/** The parts of two texts: `del` is in the first only, `ins` in the second only, `span` in both. */
export function diff(before, after) {
  const [a, b] = [words(before), words(after)];
  if (a.length > MOST || b.length > MOST) return [["del", before], ["ins", after]];
  const table = lengths(a, b);
  const parts = [];
  const add = (kind, word) => {
    if (parts.at(-1)?.[0] === kind) parts.at(-1)[1] += word;
    else parts.push([kind, word]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const isSame = i < a.length && a[i] === b[j];
    const isLonger = j >= b.length || table[i + 1]?.[j] >= table[i][j + 1];
    const isGone = !isSame && i < a.length && isLonger;
    add(isSame ? "span" : isGone ? "del" : "ins", isSame || isGone ? a[i] : b[j]);
    if (isSame || isGone) i += 1;
    if (!isGone) j += 1;
  }
  return parts;
}

/** Shows in an editor how what was written differs from what somebody else saved. */
export function showConflict(field) {
  const place = field.form.querySelector(".conflict");
  if (!place) return;
  const elements = diff(field.defaultValue, field.value).map(([kind, text]) => {
    const element = document.createElement(kind);
    element.textContent = text;
    return element;
  });
  place.querySelector(".diff").replaceChildren(...elements);
  place.hidden = false;
  place.querySelector("button").onclick = () => {
    field.value = field.defaultValue;
    place.hidden = true;
    field.focus();
  };
}
