/** What tools print. */

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Bigints as decimal strings: ids of 64 bits do not fit a JSON number. */
export function printJson(value: unknown): void {
  print(
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === 'bigint' ? member.toString() : member,
    ),
  );
}

/** Progress and warnings; stdout carries the result alone. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** `seaweed-rdma read … | head` is no failure. */
export function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}
