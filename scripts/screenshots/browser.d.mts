import type { BrowserContext, Page } from 'playwright-core';

export function browserFile(): string | undefined;
export function openBrowser(): Promise<{
  readonly context: BrowserContext;
  newPage(url: string, viewport: { readonly width: number; readonly height: number }): Promise<Page>;
  close(): Promise<void>;
}>;
