/** Formats the document that bench/copy-size-bench.ts prints. */
export function copyMarkdown(copy: object): string;
