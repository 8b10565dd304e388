/** The Chromium of this machine, without anything that talks to others. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

export interface Browser {
  readonly context: BrowserContext;
  newPage(
    url: string,
    viewport: { readonly width: number; readonly height: number },
  ): Promise<Page>;
  close(): Promise<void>;
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** CHROME_BIN, or what is on PATH; undefined: there is none. */
export function browserFile(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = [
    process.env['CHROME_BIN'] ?? '',
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
  ];
  return candidates.find((file) => {
    try {
      if (file === '') return false;
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** With a profile of its own, gone afterwards. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = browserFile();
  if (executablePath === undefined) {
    throw new Error(
      `no browser: none of ${names.join(', ')} is on PATH, and CHROME_BIN is not set`,
    );
  }
  const profile = mkdtempSync(join(tmpdir(), 'seaweed-rdma-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args,
  });
  return {
    context,
    async newPage(url, viewport) {
      const page = await context.newPage();
      await page.setViewportSize(viewport);
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
