/** Reads the body of an answer that Node's HTTP client got, unless it is cut into very many chunks. */
import type { IncomingMessage } from 'node:http';

/** So many pieces may come, and one for every 64 bytes: Node takes microseconds for each chunk, however short. */
const piecesMax = 8_192;
const bytesPerPiece = 64;

/**
 * Resolves when the body is complete.
 *
 * @param take called with each piece of the body; what it throws ends the connection
 */
export function answerPieces(
  answer: IncomingMessage,
  take: (piece: Buffer) => void,
): Promise<void> {
  let pieces = 0;
  let bytes = 0;
  return new Promise((resolve, reject) => {
    // Not an iterator, which looks at pieces only after the parser has gone through all that came.
    answer.on('data', (piece: Buffer) => {
      pieces += 1;
      bytes += piece.length;
      if (answer.destroyed) return;
      try {
        if (pieces > piecesMax + bytes / bytesPerPiece) {
          throw new Error('the answer is cut into too many chunks');
        }
        take(piece);
      } catch (error) {
        answer.destroy(error as Error);
      }
    });
    answer.on('end', resolve);
    answer.on('error', reject);
    answer.on('close', () =>
      reject(new Error('the connection closed in the middle of the answer')),
    );
  });
}
