/** Formats the document that test/bench/clients-bench.ts prints. */
export function clientsMarkdown(clients: object): string;
