/** Formats the document that test/bench/serve-bench.ts prints. */
export function serveMarkdown(serve: object, isQuick: boolean): string;
