/**
 * Makes the pictures of docs/dashboard.md: a volume server, a target and a proxy with traffic in front of them, and the
 * dashboard in the browser that is installed. Ends by itself; needs what `npm run setup` installs, and a Chromium.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RoleOptions, type RoleProcess, startRole } from './role-process.ts';
import { type Browser, openBrowser } from './screenshots/browser.ts';
import { createSamples } from './screenshots/samples.ts';
import { startTraffic } from './screenshots/traffic.ts';

const folder = process.argv[2] ?? join(import.meta.dirname, '..', 'docs', 'images');
/** Time of traffic before the pictures, so that the charts have something to show. */
const warmUpMs = 60_000;
/** Let go of before the pictures, so that there are fallbacks to list. */
const outageMs = 3_000;

const widths = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };
/** The second of each width shows what is further down. */
const schemes: Readonly<Record<'light' | 'dark', Readonly<Record<number, string>>>> = {
  light: {},
  dark: { 1440: '#targets', 390: '#try' },
};

const dataDir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-pictures-'));
const roles: RoleProcess[] = [];
const start = async (role: string, options: RoleOptions): Promise<RoleProcess> => {
  const running = await startRole(role, options);
  roles.unshift(running);
  return running;
};
let browser: Browser | undefined;
try {
  mkdirSync(folder, { recursive: true });
  const samples = createSamples(dataDir);
  const origin = await start('origin', { args: ['--dir', dataDir, '--listen', '127.0.0.1:0'] });
  const targetConfig = (port: string): string => `
[rdma]
port = ${port}
buffer_size = "64MiB"
[target]
dirs = ["${dataDir}"]
volume_server_url = "http://${origin.bound['http']}"
[admin]
listen = "127.0.0.1:0"
`;
  const first = await start('target', { config: targetConfig('0') });
  const proxy = await start('proxy', {
    config: `
[http]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "http://${origin.bound['http']}"
[rdma]
target = "${first.bound['rdma']}"
[cache]
size = "4MiB"
[memory]
size = "64MiB"
[admin]
listen = "127.0.0.1:0"
`,
  });
  const traffic = startTraffic(`http://${proxy.bound['http']}`, samples);
  browser = await openBrowser();
  const page = await browser.newPage(`http://${proxy.bound['admin']}/`, widths.wide);
  await page.waitForTimeout(warmUpMs / 2);
  await first.stop();
  await page.waitForTimeout(outageMs);
  const port = (first.bound['rdma'] as string).split(':').at(-1) as string;
  const second = await start('target', { config: targetConfig(port) });
  await page.waitForTimeout(warmUpMs / 2);
  await page.fill('#read-fid', samples.picture.fid);
  await page.click('#read-form button[type=submit]');
  await page.waitForSelector('#preview img');
  await page.fill('#bench-iterations', '1000');
  await page.click('#bench-run');
  await page.waitForSelector('#bench-table:not([hidden])');
  for (const [name, size] of Object.entries(widths)) {
    for (const scheme of ['light', 'dark'] as const) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme: scheme });
      await page.waitForTimeout(300);
      const place = schemes[scheme][size.width];
      await page.evaluate(
        place === undefined
          ? 'scrollTo(0, 0)'
          : `document.querySelector('${place}').scrollIntoView()`,
      );
      const file = join(folder, `dashboard-${size.width}-${scheme}.png`);
      await page.screenshot({ path: file, fullPage: process.argv[3] === '--whole' });
      console.log(`${name} ${scheme}: ${file}`);
    }
  }
  const target = await browser.newPage(`http://${second.bound['admin']}/`, widths.wide);
  await target.waitForTimeout(4_500);
  await target.screenshot({ path: join(folder, 'dashboard-target.png') });
  traffic.stop();
} finally {
  await browser?.close();
  for (const role of roles) await role.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
