/** Formats the document that bench/serve-bench.ts prints. */
export function serveMarkdown(serve: object, isQuick: boolean): string;
