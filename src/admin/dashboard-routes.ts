/**
 * The dashboard: the files of the package's `dashboard` folder and of uplot, as they are. They hold no data, so they are
 * given to everybody; what they ask the API for needs the token.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { json } from './admin-page.ts';
import type { JsonSchema } from './api/json-schema.ts';

/** The same from src and from dist. */
const folder = join(import.meta.dirname, '..', '..', 'dashboard');
const charts = dirname(createRequire(import.meta.url).resolve('uplot'));

const script = 'text/javascript; charset=utf-8';
const style = 'text/css; charset=utf-8';

/** Page → type and file. */
const files: Readonly<Record<string, readonly [type: string, file: string]>> = {
  '/': ['text/html; charset=utf-8', join(folder, 'index.html')],
  ...Object.fromEntries(
    [
      'dashboard.js',
      'api.js',
      'charts.js',
      'clients.js',
      'elements.js',
      'figures.js',
      'metrics.js',
      'panels.js',
      'reasons.js',
      'tables.js',
      'target-panels.js',
      'try-panels.js',
    ].map((name) => [`/dashboard/${name}`, [script, join(folder, name)] as const]),
  ),
  '/dashboard/dashboard.css': [style, join(folder, 'dashboard.css')],
  '/dashboard/icon.svg': ['image/svg+xml', join(folder, 'icon.svg')],
  '/dashboard/uplot.js': [script, join(charts, 'uPlot.esm.js')],
  '/dashboard/uplot.css': [style, join(charts, 'uPlot.min.css')],
};

/** Nothing from elsewhere, nothing inline, in nobody's frame; blob: for pictures that were read. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function addDashboard(app: FastifyInstance): void {
  for (const [page, [type, file]] of Object.entries(files)) {
    let bytes: Buffer | undefined;
    app.get(page, { schema: { hide: true } as JsonSchema }, (_request, reply) => {
      try {
        bytes ??= readFileSync(file);
      } catch {
        return json(reply, 404, { error: `${file} is missing: the package is not complete` });
      }
      return reply
        .header('Content-Type', type)
        .header('Content-Security-Policy', contentSecurityPolicy)
        .header('Referrer-Policy', 'no-referrer')
        .send(bytes);
    });
  }
}
