/**
 * The dashboard: the files of the package's `dashboard` folder and of uplot, as they are. They hold no data, so they are
 * given to everybody; what they ask the API for needs the token.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { JsonSchema } from '../schema/json-schema.ts';

/** Found from src and from dist alike. */
const folder = join(import.meta.dirname, '..', '..', 'dashboard');
const charts = dirname(createRequire(import.meta.url).resolve('uplot'));

/** Page → folder and file. */
const files: Readonly<Record<string, readonly [root: string, name: string]>> = {
  '/': [folder, 'index.html'],
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
      'dashboard.css',
      'icon.svg',
    ].map((name) => [`/dashboard/${name}`, [folder, name] as const]),
  ),
  '/dashboard/uplot.js': [charts, 'uPlot.esm.js'],
  '/dashboard/uplot.css': [charts, 'uPlot.min.css'],
};

/** Nothing from elsewhere, nothing inline, in no other page's frame; blob: for pictures that were read. */
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

export async function addDashboard(app: FastifyInstance): Promise<void> {
  // Options that send a file as its bytes, under the header lines that every page of this listener has.
  const plain = { cacheControl: false, etag: false, lastModified: false, acceptRanges: false };
  await app.register(fastifyStatic, { root: [folder, charts], serve: false, ...plain });
  for (const [page, [root, name]] of Object.entries(files)) {
    app.get(page, { schema: { hide: true } as JsonSchema }, (_request, reply) =>
      reply
        .header('Content-Security-Policy', contentSecurityPolicy)
        .header('Referrer-Policy', 'no-referrer')
        .sendFile(name, root),
    );
  }
}
