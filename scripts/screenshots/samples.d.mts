/** An image of that size. */
export function png(width: number, height: number): Buffer;
