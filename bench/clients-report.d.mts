/** Formats the document that bench/clients-bench.ts prints. */
export function clientsMarkdown(clients: object): string;
