// `npm run demo`: enters the Node that the project pins, under which scripts/demo/main.ts runs.
import { continueUnderPinnedNode } from './setup/pinned-node.mjs';

continueUnderPinnedNode();
await import('./demo/main.ts');
