// The page's own small hands: elements by id, rows that keep their identity, texts that are set only when they change.
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element #${id}`);
  return found;
}

/** Only when it changed: a screen reader must not be told what it knows. */
export function setText(element, text) {
  const to = typeof element === 'string' ? byId(element) : element;
  if (to.textContent !== text) to.textContent = text;
}

export function show(element, isShown) {
  const shown = typeof element === 'string' ? byId(element) : element;
  if (shown.hidden === isShown) shown.hidden = !isShown;
}

export function make(tag, { className, text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className !== undefined) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A row with a heading cell first; `columns`: class names of the cells. */
export function row(columns) {
  const cells = columns.map((className, index) =>
    make(index === 0 ? 'th' : 'td', {
      ...(className === '' ? {} : { className }),
      ...(index === 0 ? { scope: 'row' } : {}),
    }),
  );
  return make('tr', {}, ...cells);
}

/**
 * Children for `items` in their order: those known by their key stay as they are, so that focus and selection do; new
 * ones are made, others go.
 */
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    known.delete(key);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const gone of known.values()) gone.remove();
}

export function setCells(tableRow, ...texts) {
  texts.forEach((text, index) => {
    if (text !== undefined) setText(tableRow.cells[index], text);
  });
}

let spoken = '';

/** For those who do not see the page; each thing once. */
export function announce(text) {
  if (text === spoken) return;
  spoken = text;
  setText('announcements', text);
}
