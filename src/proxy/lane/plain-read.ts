/**
 * Which requests go straight to the corridor: a GET or HEAD of a needle path without a body, whose headers are all
 * known here. Only a short cut: what is refused here takes the framework's way into the same corridor. Pure.
 */
import type { FramedRequest } from './request-framer.ts';

/** A volume id, then its separator: what a needle path looks like before it is parsed. */
const needlePath = /^\/[0-9]{1,20}[,/]/;

export function isPlainRead({ head, block }: FramedRequest): boolean {
  if (block.body.kind !== 'none' || !block.isPlain) return false;
  if (head.method !== 'GET' && head.method !== 'HEAD') return false;
  return needlePath.test(head.target);
}
