// `npm test`: enters the Node that the project pins, under which scripts/test/main.ts runs the suites.
import { continueUnderPinnedNode } from './setup/pinned-node.mjs';

continueUnderPinnedNode();
await import('./test/main.ts');
