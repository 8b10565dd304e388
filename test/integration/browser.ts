/** The Chromium of this machine for tests of pages; where there is none they are skipped, and say so. */
import type { BrowserContext, Page } from 'playwright-core';
import { browserFile, openBrowser } from '../../scripts/screenshots/browser.ts';

export const missingBrowser: string | undefined =
  browserFile() === undefined
    ? 'no Chromium on PATH and CHROME_BIN is not set: install the package chromium'
    : undefined;

export interface Viewport {
  readonly width: number;
  readonly height: number;
}

/** A page, and everything that must not happen on one. */
export interface WatchedPage {
  readonly page: Page;
  /** Console errors and warnings, exceptions, policy violations. */
  readonly complaints: string[];
  /** Origins that it asked for something. */
  readonly origins: Set<string>;
}

export class TestBrowser {
  readonly context: BrowserContext;
  readonly #close: () => Promise<void>;

  private constructor(context: BrowserContext, close: () => Promise<void>) {
    this.context = context;
    this.#close = close;
  }

  static async open(): Promise<TestBrowser> {
    const { context, close } = await openBrowser();
    return new TestBrowser(context, close);
  }

  async newPage(url: string, viewport: Viewport): Promise<WatchedPage> {
    const page = await this.context.newPage();
    const complaints: string[] = [];
    const origins = new Set<string>();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('blob:')) origins.add(new URL(request.url()).origin);
    });
    await page.setViewportSize(viewport);
    await page.goto(url);
    return { page, complaints, origins };
  }

  close(): Promise<void> {
    return this.#close();
  }
}
