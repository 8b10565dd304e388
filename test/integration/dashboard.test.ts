/** The dashboard in a real browser, on a real proxy: what it shows is what the proxy says, and everybody can use it. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { png } from '../../scripts/screenshots/samples.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { type Asked, ask, bytesOf, cookie, fid, parsed, volumeId } from './admin-stage.ts';
import { missingBrowser, TestBrowser, type WatchedPage } from './browser.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const wide = { width: 1440, height: 900 };
const narrow = { width: 390, height: 844 };
const needleBytes = 3000;
const anyPort = '[admin]\nlisten = "127.0.0.1:0"\n';
const pictureId = 50n;
const textId = 51n;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const { hasUcx } = loadBinding();

if (missingBrowser !== undefined) console.log(`dashboard.test.ts is skipped: ${missingBrowser}`);
else if (!hasUcx) console.log('without UCX there is no target whose dashboard and loss are tested');

let browser: TestBrowser;
let proxy: Role;
let target: { readonly role: Role; readonly ready: Ready } | undefined;
let http: string;
let admin: string;
let watched: WatchedPage;
let page: Page;

interface Stats {
  readonly requests: {
    readonly requests: number;
    readonly outcomes: Readonly<Record<string, number>>;
    readonly passthrough: Readonly<Record<string, number>>;
  };
  readonly targets: readonly { readonly state?: { readonly kind: string } }[];
  readonly cache: { readonly needles: number; readonly hits: number };
  readonly arena: { readonly leasesOutstanding: number };
}

interface Traffic {
  readonly ownRequests: number;
  readonly clients: readonly { readonly requests: number }[];
  readonly volumes: readonly { readonly requests: number }[];
  readonly needles: readonly { readonly needleId: string }[];
}

const stats = async (): Promise<Stats> => parsed(await ask(`${admin}/stats`));
/** The page asks every two seconds. */
const eventually = <T>(look: () => Promise<T> | T): ReturnType<typeof expect.poll<T>> =>
  expect.poll(look, { timeout: 8_000 });

/** As it is seen. */
const seen = async (locator: Locator): Promise<string> =>
  (await locator.allInnerTexts()).join('\n');
const textOf = (selector: string): Promise<string> => seen(page.locator(selector));

/** Of axe-core's rules. */
function violationsOf(on: Page): Promise<readonly string[]> {
  return on.evaluate(`${axe}
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' | ')))`);
}

async function started(role: string, config: string): Promise<{ role: Role; ready: Ready }> {
  const file = scratch.write(`${role}-${Math.random()}.toml`, config);
  const running = startRole([role, '--config', file]);
  return { role: running, ready: (await running.ready()) as Ready };
}
type Ready = Readonly<Record<string, string>>;

const nobody: Pick<Asked, 'headers'> = { headers: {} };

/** A read before the session is up would be a fallback, and the page must show none at first. */
async function whenServed(): Promise<void> {
  for (let i = 0; i < 100; i += 1) {
    const isUp = (await stats()).targets[0]?.state?.kind === 'up';
    const { headers } = isUp ? await ask(`${admin}/api/read?fid=${fid(1n)}`) : nobody;
    if (headers['x-rdma-source'] === 'rdma') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the needle was never served from its volume');
}

function writeNeedles(dir: string): void {
  mkdirSync(dir);
  using volume = createVolume({ dir, volumeId });
  for (let id = 1n; id <= 9n; id += 1n) {
    volume.append({ needleId: id, cookie, data: bytesOf(id, needleBytes), mime: 'a/b' });
  }
  volume.append({ needleId: pictureId, cookie, data: png(40, 20), mime: 'image/png' });
  const words = Buffer.from('<script>alert(1)</script> and more words');
  volume.append({ needleId: textId, cookie, data: words, mime: 'text/html' });
}

describe.skipIf(missingBrowser !== undefined)('the dashboard', () => {
  beforeAll(async () => {
    const dir = join(scratch.folder, 'data');
    writeNeedles(dir);
    const origin = startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']);
    const { http: upstream } = (await origin.ready()) as Ready;
    const place = `dirs = ["${dir}"]`;
    const server = `volume_server_url = "http://${upstream}"\n`;
    if (hasUcx) {
      const config = `[rdma]\nport = 0\nbuffer_size = "16MiB"\n[target]\n${place}\n${server}${anyPort}`;
      target = await started('target', config);
    }
    const over =
      target === undefined
        ? `transport = "inproc"\n${place}`
        : `target = "${target.ready['rdma']}"`;
    const { role, ready } = await started(
      'proxy',
      `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\n${server}[rdma]\n${over}\n[cache]\nsize = "2MiB"\n[memory]\nsize = "4MiB"\n${anyPort}`,
    );
    proxy = role;
    http = `http://${ready['http']}`;
    admin = `http://${ready['admin']}`;
    await whenServed();
    for (const id of [1n, 1n, 1n, 2n, 3n]) await ask(`${http}/${fid(id)}`);
    await ask(`${http}/${fid(4711n)}`);
    browser = await TestBrowser.open();
    watched = await browser.newPage(`${admin}/`, wide);
    page = watched.page;
    await page.waitForSelector('body[data-state="live"]');
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  test('shows in every panel what /stats says', async () => {
    const { requests, cache, arena } = await stats();
    await eventually(() => textOf('#f-here-note')).toBe(`of ${requests.requests} requests`);
    for (const outcome of ['cache', 'rdma', 'passthrough', 'error']) {
      const cells = page.locator(`#outcomes tr[data-key="${outcome}"] > *`);
      expect(await seen(cells.nth(2))).toBe(String(requests.outcomes[outcome]));
    }
    const notFound = page.locator('#reasons tr[data-key="passthrough not-found"] > *');
    expect(await seen(notFound.nth(2))).toBe(String(requests.passthrough['not-found']));
    expect(await seen(notFound.nth(3))).toBe('no such needle in the volume');
    expect(await textOf('#c-needles')).toBe(String(cache.needles));
    expect(await textOf('#c-hits')).toBe(String(cache.hits));
    expect(await textOf('#p-leases')).toBe(String(arena.leasesOutstanding));
    expect(await textOf('#pool-use')).toContain('of 4.0 MiB');
    expect(await textOf('#target-list')).toMatch(
      /up\s+Transport\s+\w+\s[\s\S]*closed[\s\S]*1 of 1/,
    );
    expect(await textOf('#checks')).toContain('is well');
    expect(await textOf('#verdict-text')).toBe('ok');
    const latency = page.locator('#percentiles tr[data-key="cache"] > *');
    await eventually(() => seen(latency.nth(4))).toMatch(/^(–|[\d.]+ (µs|ms))$/);
    await eventually(() => textOf('#needles tbody tr:first-child')).toContain('2.9 KiB');
    const [first] = parsed<{ needles: { needleId: string; hits: number }[] }>(
      await ask(`${admin}/api/cache?limit=1`),
    ).needles;
    expect(await textOf('#needles tbody tr:first-child')).toMatch(
      new RegExp(`3\\s+${first?.needleId}\\s.*\\s${first?.hits}\\s`),
    );
    expect(await page.locator('#traffic-chart canvas').count()).toBe(1);
    await eventually(() => page.locator('#traffic-chart').getAttribute('aria-label')).toMatch(
      /^Requests per second now: cache /,
    );
  });

  test('shows which clients come and how they are answered, busy volumes and hot needles', async () => {
    const { clients, volumes, needles, ownRequests } = parsed<Traffic>(
      await ask(`${admin}/api/traffic`),
    );
    expect(ownRequests).toBeGreaterThan(0);
    const [client] = clients;
    const cells = page.locator('#client-table tbody tr:first-child > *');
    expect(await seen(cells.nth(0))).toContain('127.0.0.1');
    expect(await seen(cells.nth(2))).toBe(String(client?.requests));
    expect(await seen(cells.nth(4))).toMatch(/not-found\s+1/);
    expect(await textOf('#clients-line')).toContain(`${client?.requests} requests of 1 client`);
    expect(await page.locator('#clients-missing').isVisible()).toBe(false);
    expect(await textOf('#volume-rates tbody')).toMatch(
      new RegExp(`^3\\s.*${volumes[0]?.requests}`),
    );
    const [hottest] = needles;
    expect(hottest?.needleId).toBe('1');
    expect(await textOf('#needle-rates tbody tr:first-child')).toContain('3,01…');
    expect(await textOf('#needle-rates')).not.toContain(cookie.toString(16));
  });

  test('shows the configuration with where each key came from, and finds keys', async () => {
    const { keys } = parsed<{ keys: { key: string }[] }>(await ask(`${admin}/api/config`));
    expect(await textOf('#config-count')).toContain(`${keys.length} of ${keys.length} keys`);
    await page.getByLabel('Filter').fill('cache.si');
    expect(await page.locator('#config-table tbody tr').count()).toBe(1);
    expect(await textOf('#config-table tbody tr')).toMatch(/cache\.size\s+"2MiB"\s+line \d+/);
    await page.getByLabel('Filter').fill('');
    await page.getByLabel('Only what somebody set').check();
    expect(await textOf('#config-table')).not.toContain('default');
    await page.getByLabel('Only what somebody set').uncheck();
  });

  test('reads a needle as picture, as text that stays text, and as bytes', async () => {
    const read = async (id: bigint): Promise<void> => {
      await page.locator('#read-fid').fill(fid(id));
      await page.getByRole('button', { name: 'Read', exact: true }).click();
      await eventually(() => textOf('#read-note')).toMatch(/^\d+, /);
    };
    await read(pictureId);
    const width = (): Promise<number> =>
      page.evaluate("document.querySelector('#preview img').naturalWidth");
    await eventually(width).toBe(40);
    expect(await textOf('#r-status')).toBe('200 OK');
    expect(await textOf('#r-outcome')).toBe('rdma');
    expect(await textOf('#read-headers')).toContain('image/png');
    await read(textId);
    await eventually(() => textOf('#preview')).toContain('<script>alert(1)</script> and more');
    await read(2n);
    await eventually(() => textOf('#preview')).toContain('0000  02 21 40');
    expect(await textOf('#r-outcome')).toBe('cache');
    expect(await textOf('#r-size')).toContain('3,000');
    await page.locator('#read-fid').fill('nothing');
    await page.getByRole('button', { name: 'Read', exact: true }).click();
    await eventually(() => textOf('#read-note')).toContain('fid');
    // The browser itself writes a refusal down.
    expect(watched.complaints.splice(0)).toEqual([expect.stringContaining('400')]);
  });

  test('runs a benchmark and tells what came of it', async () => {
    const before = (await stats()).requests.requests;
    await page.getByLabel('File ids').fill(`${fid(1n)}\n${fid(2n)}`);
    await page.getByLabel('Reads').fill('120');
    await page.getByRole('button', { name: 'Run' }).click();
    await eventually(() => textOf('#bench-note')).toMatch(/^120 reads in /);
    expect(await textOf('#bench-table tbody tr:first-child')).toMatch(/^cache 120\s/);
    expect((await stats()).requests.requests - before).toBeGreaterThanOrEqual(120);
  });

  test('evicts one needle, and all of them once that was confirmed', async () => {
    const { needles } = (await stats()).cache;
    expect(needles).toBeGreaterThan(2);
    await page.locator('#needles tbody button').first().press('Enter');
    await eventually(() => textOf('#evict-note')).toBe('1 needle evicted.');
    const focused = (): Promise<unknown> => page.evaluate('document.activeElement.textContent');
    await eventually(focused).toBe('Evict');
    expect((await stats()).cache.needles).toBe(needles - 1);
    await page.getByRole('button', { name: 'Evict all' }).click();
    await page.getByRole('button', { name: 'Keep them' }).click();
    expect((await stats()).cache.needles).toBe(needles - 1);
    await page.getByRole('button', { name: 'Evict all' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Evict all' }).click();
    await eventually(() => textOf('#evict-note')).toBe(`${needles - 1} needles evicted.`);
    expect((await stats()).cache.needles).toBe(0);
    await eventually(() => page.locator('#needles-empty').isVisible()).toBe(true);
  });

  test('is used with the keyboard alone, and the focus is seen', async () => {
    await page.reload();
    await page.waitForSelector('body[data-state="live"]');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Skip');
    const reached: string[] = [];
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press('Tab');
      const at = (await page.evaluate(`({
        name: document.activeElement.id || document.activeElement.textContent,
        outline: getComputedStyle(document.activeElement).outlineStyle,
      })`)) as { name: string; outline: string };
      if (at.name === 'read-fid') break;
      expect(at).toEqual({ name: at.name, outline: 'solid' });
      reached.push(at.name);
    }
    expect(reached).toEqual(expect.arrayContaining(['Traffic', 'config-filter', 'config-set']));
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type(fid(3n));
    await page.keyboard.press('Enter');
    await eventually(() => textOf('#read-note')).toMatch(/^200, 3,000 bytes, rdma/);
  });

  test.each([wide, narrow])('is clean for screen readers and fits, at $width px', async (size) => {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect([colorScheme, await violationsOf(page)]).toEqual([colorScheme, []]);
    }
    const widthOfPage = await page.evaluate('document.documentElement.scrollWidth');
    expect(widthOfPage).toBeLessThanOrEqual(size.width);
  });

  test('asks nobody but the proxy, complains of nothing, and rests while it is not seen', async () => {
    expect([...watched.origins]).toEqual([admin]);
    expect(watched.complaints).toEqual([]);
    const hide = (hidden: boolean): Promise<void> =>
      page.evaluate(`
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
        document.dispatchEvent(new Event('visibilitychange'));`);
    const asked: string[] = [];
    const note = (request: { url(): string }): number => asked.push(request.url());
    page.on('request', note);
    await hide(true);
    try {
      // A look that had begun goes on to its end.
      await page.waitForTimeout(1_500);
      asked.length = 0;
      await page.waitForTimeout(2_500);
      expect(asked).toEqual([]);
    } finally {
      page.off('request', note);
      const next = page.waitForRequest(`${admin}/stats`);
      await hide(false);
      await next;
    }
  });

  test('asks for the token where there is one, and shows nothing before', async () => {
    const tokenFile = scratch.write('token', 'open sesame\n');
    const { ready } = await started(
      'proxy',
      `[http]\nlisten = "127.0.0.1:0"\n[rdma]\nmode = "off"\n[admin]\nlisten = "127.0.0.1:0"\ntoken_file = "${tokenFile}"\n`,
    );
    const locked = await browser.newPage(`http://${ready['admin']}/`, narrow);
    await locked.page.waitForSelector('#token-panel:not([hidden])');
    expect(await locked.page.locator('#panels').isVisible()).toBe(false);
    await locked.page.getByLabel('Admin token').fill('wrong');
    await locked.page.keyboard.press('Enter');
    await eventually(() => seen(locked.page.locator('#token-error'))).toBe(
      'That is not the token.',
    );
    await locked.page.getByLabel('Admin token').fill('open sesame');
    await locked.page.keyboard.press('Enter');
    await locked.page.waitForSelector('body[data-state="live"]');
    expect(await seen(locked.page.locator('#f-here-note'))).toBe('of 0 requests');
    await locked.page.getByRole('button', { name: 'Forget token' }).click();
    await locked.page.waitForSelector('body[data-state="locked"]');
    await locked.page.close();
  });

  test.skipIf(!hasUcx)('of a target shows its reads and its volumes', async () => {
    const shown = await browser.newPage(`http://${target?.ready['admin']}/`, narrow);
    await shown.page.waitForSelector('body[data-state="live"]');
    const told = parsed<{ reads: { ok: number }; needles: number }>(
      await ask(`http://${target?.ready['admin']}/stats`),
    );
    expect(await seen(shown.page.locator('#f-needles'))).toBe(String(told.needles));
    expect(await seen(shown.page.locator('#statuses tbody'))).toMatch(
      new RegExp(`ok\\s+.*\\s${told.reads.ok}`),
    );
    expect(await seen(shown.page.locator('#volume-table tbody'))).toMatch(/3\s+none\s+served/);
    await eventually(() => seen(shown.page.locator('#config-table'))).toContain('target.dirs');
    expect(await violationsOf(shown.page)).toEqual([]);
    expect(shown.complaints).toEqual([]);
    await shown.page.close();
  });

  test.skipIf(!hasUcx)(
    'tells of a lost target, and lists the fallback with its cause',
    async () => {
      expect(await page.locator('#fallbacks-empty').isVisible()).toBe(true);
      await target?.role.stop();
      await proxy.line('target-down');
      await ask(`${http}/${fid(4n)}?jwt=secret`);
      const listed = (): Promise<string> => textOf('#fallbacks');
      await eventually(listed).toMatch(/target-down: .*What to do: read \/health/);
      expect(await textOf('#fallback-table tbody')).toContain('GET /3,04…?jwt=…');
      expect(await textOf('#target-list')).toContain('down');
      expect(await textOf('#verdict-text')).toBe('degraded');
    },
  );

  test('says so when the proxy is gone, and when it is not asked any more', async () => {
    await proxy.stop();
    await page.waitForSelector('#banner:not([hidden])');
    expect(await textOf('#banner')).toContain('The proxy does not answer');
    expect(await textOf('#verdict-text')).toBe('no answer');
  });
});

test('the page explains each reason as docs/reasons.md does', async () => {
  const root = join(import.meta.dirname, '..', '..');
  const { reasons } = (await import(join(root, 'dashboard', 'reasons.js'))) as {
    reasons: Readonly<Record<string, { kind: string; when: string; todo: string }>>;
  };
  const docs = readFileSync(join(root, 'docs', 'reasons.md'), 'utf8').replaceAll('`', '');
  const rows = [...docs.matchAll(/^\| ([a-z-]+) \| (meaning|trouble) \| (.*?) \| (.*?) \|$/gm)].map(
    ([, reason, kind, when, todo]) => [reason, { kind, when, todo }],
  );
  expect(reasons).toEqual(Object.fromEntries(rows));
  expect(rows.length).toBeGreaterThan(20);
});
