// Asks the listener that served this page. The token stays in this tab.
const tokenKey = 'seaweed-rdma-admin-token';
const patienceMs = 5000;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

export const token = {
  get: () => sessionStorage.getItem(tokenKey) ?? undefined,
  set: (value) => sessionStorage.setItem(tokenKey, value),
  forget: () => sessionStorage.removeItem(tokenKey),
};

function headersWith(more) {
  const known = token.get();
  return known === undefined ? more : { ...more, Authorization: `Bearer ${known}` };
}

async function ask(path, { method = 'GET', headers = {}, body, signal } = {}) {
  const patience = signal ?? AbortSignal.timeout(patienceMs);
  try {
    return await fetch(path, { method, headers: headersWith(headers), body, signal: patience });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(error instanceof Error ? error.message : String(error));
  }
}

async function wordsOf(answer) {
  try {
    return (await answer.json()).error ?? answer.statusText;
  } catch {
    return answer.statusText;
  }
}

/** `alsoFine`: statuses besides 2xx whose body is wanted all the same. */
export async function getJson(path, alsoFine = []) {
  const answer = await ask(path);
  if (!answer.ok && !alsoFine.includes(answer.status)) {
    throw new Refused(answer.status, await wordsOf(answer));
  }
  return answer.json();
}

export async function getText(path) {
  const answer = await ask(path);
  if (!answer.ok) throw new Refused(answer.status, await wordsOf(answer));
  return answer.text();
}

export async function post(path, value, { signal, headers = {} } = {}) {
  const answer = await ask(path, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
    signal: signal ?? AbortSignal.timeout(120_000),
  });
  if (!answer.ok) throw new Refused(answer.status, await wordsOf(answer));
  return answer.json();
}

/** The answer as it came, whatever its status; an error of this listener itself is thrown. */
export async function readNeedle(fid, readToken) {
  const headers = readToken === '' ? {} : { 'X-Seaweed-Authorization': `Bearer ${readToken}` };
  const path = `/api/read?fid=${encodeURIComponent(fid)}`;
  const answer = await ask(path, { headers, signal: AbortSignal.timeout(40_000) });
  const isOwn = !answer.headers.has('x-rdma-source') && !answer.ok;
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false;
  if (isOwn && isJson) throw new Refused(answer.status, await wordsOf(answer));
  return answer;
}
