/**
 * Parses a JSON object in which no key comes twice. Go's decoder reads equal keys one over the other, with errors of its
 * own; JSON.parse shows only the last.
 */
export function parsePlainObject(text: string): ReadonlyMap<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const members = new Map(Object.entries(value));
  return members.size === countMembers(text) ? members : undefined;
}

/** Colons of the outermost object, outside of strings. `text` is valid JSON. */
function countMembers(text: string): number {
  let depth = 0;
  let count = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = stringEnd(text, i);
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    else if (char === ':' && depth === 1) count += 1;
  }
  return count;
}

/** Index of the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}
