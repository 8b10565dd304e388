/** Formats the document that test/bench/copy-size-bench.ts prints. */
export function copyMarkdown(copy: object): string;
